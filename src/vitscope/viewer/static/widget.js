// node_modules/preact/dist/preact.mjs
var e, t, n, r, i, a, o, s, c, l, u = Symbol.for("pv"), d = {}, f = [], p = /^m(i|n|o|s|text|space)$/, m = Array.isArray, h = f.slice, g = Object.assign;
function _(e) {
	e && e.parentNode && e.remove();
}
function v(e, t, n) {
	var r, i, a, o = {}, s = arguments.length;
	for (a in t) a == "key" ? r = t[a] : a == "ref" && typeof e != "function" ? i = t[a] : o[a] = t[a];
	return s > 2 && (o.children = s > 3 ? h.call(arguments, 2) : n), y(e, o, r, i, null);
}
function y(n, r, i, a, o) {
	var s = {
		type: n,
		props: r,
		key: i,
		ref: a,
		__k: null,
		__: null,
		__b: 0,
		__e: null,
		__c: null,
		constructor: u,
		__v: o || ++t,
		__i: -1,
		__u: 0
	};
	return !o && e.vnode && e.vnode(s), s;
}
function b(e) {
	return e.children;
}
function x(e, t) {
	this.props = e, this.context = t, this.__g = 0;
}
function S(e, t) {
	if (t == null) return e.__ && S(e.__, e.__i + 1);
	for (var n; t < e.__k.length; t++) if ((n = e.__k[t]) && n.__e) return n.__e;
	return typeof e.type != "function" || e.props.__P ? null : S(e);
}
function C(t) {
	var n, r = t.__v, i = r.__e, a = [], o = [], s = t.__P;
	s && ((n = g({ constructor: u }, r)).__v = r.__v + 1, e.vnode && e.vnode(n), re(s, n, r, t.__n, s.namespaceURI, 32 & r.__u ? [i] : null, a, i || S(r), 32 & r.__u, o), n.__v = r.__v, n.__.__k[n.__i] = n, M(a, n, o), r.__ = r.__e = null, n.__e != i && w(n));
}
function w(e) {
	if ((e = e.__) && e.__c && !e.props.__P) return e.__e = null, e.__k.some(function(t) {
		return t && (e.__e = t.__e);
	}), w(e);
}
function T(t) {
	(8 & t.__g || (t.__g |= 8, n.push(t), i++)) && r == e.debounceRendering || ((r = e.debounceRendering) || queueMicrotask)(E);
}
function E() {
	try {
		for (var e, t = 1; n.length;) n.length > t && n.sort(a), e = n.shift(), t = n.length, 8 & e.__g && C(e);
	} finally {
		(i = n.length) && (r || queueMicrotask)(E);
	}
}
function ee(e, t, n, r, i, a, o, s, c, l, u) {
	var p, m, h, g, _, v, y = r.__k || f, b = t.length;
	for (c = D(n, t, y, c, b), p = 0; p < b; p++) (h = n.__k[p]) != null && (m = ~h.__i && y[h.__i] || d, h.__i = p, v = re(e, h, m, i, a, o, s, c, l, u), g = h.__e, (m.ref != h.ref || 8 & m.__u) && (m.ref && N(m.ref, null, h, m), h.ref && u.push(h.ref, h.__c || g, h)), _ ||= g, 4 & h.__u ? (c = O(h, c, e, !m.__v), m.__e && (m.__e = null)) : typeof h.type == "function" && v !== void 0 ? c = v : g && (c = g.nextSibling), h.__u &= -21);
	return n.__e = _, c;
}
function D(e, t, n, r, i) {
	var a, o, s, c, l, d, f, p, h, g = n.length, _ = g, v = 0, x = 0, C = e.__k = Array(i);
	for (a = 0; a < i; a++) (o = t[a]) != null && typeof o != "boolean" && typeof o != "function" ? (typeof o != "object" || o.constructor === String ? o = C[a] = y(null, o) : m(o) ? o = C[a] = y(b, { children: o }) : o.constructor === u && o.__b ? o = C[a] = y(o.type, o.props, o.key, o.ref, o.__v) : C[a] = o, c = a + v, o.__ = e, o.__b = e.__b + 1, s = null, ~(l = o.__i = te(o, n, c, _)) && (_--, (s = n[l]) && (s.__u |= 2)), s && s.__v ? (o.__u |= 16, l == c - 1 ? v-- : l == c + 1 ? v++ : l != c && (l > c ? v-- : v++, x = 1)) : (~l || (i > g ? v-- : i < g && v++), typeof o.type != "function" && (o.__u |= 4))) : C[a] = null;
	if (x) {
		for (d = [], f = [], a = 0; a < i; a++) if ((o = C[a]) && 16 & o.__u) {
			for (v = 0, p = d.length; v < p;) d[h = v + p >> 1] < o.__i ? v = h + 1 : p = h;
			d[v] = o.__i, f[a] = v + 1;
		}
		for (v = d.length; a--;) f[a] && (f[a] == v ? v-- : C[a].__u |= 4);
	}
	if (_) for (a = 0; a < g; a++) !(s = n[a]) || 2 & s.__u || (s.__e == r && (r = S(s)), se(s, s));
	return r;
}
function O(e, t, n, r) {
	var i, a, o, s;
	if (typeof e.type == "function") {
		if (e.props.__P) return t;
		if (i = e.__k) for (a = 0; a < i.length; a++) i[a] && (i[a].__ = e, t = O(i[a], t, n, !1));
		return t;
	}
	for (t && !t.parentNode && (t = S(e)) && !t.parentNode && (t = null), o = e.__e, s = t; s && s.nodeType == 8;) s = s.nextSibling;
	for (o != s && (!r && n.moveBefore && o.parentNode ? n.moveBefore(o, t) : n.insertBefore(o, t || null)), t = o; (t &&= t.nextSibling) && t.nodeType == 8 && !t.data.startsWith("$s"););
	return t;
}
function k(e, t) {
	return t ||= [], e != null && typeof e != "boolean" && (m(e) ? e.some(function(e) {
		k(e, t);
	}) : t.push(e)), t;
}
function te(e, t, n, r) {
	var i, a = e.key, o = e.type, s = t[n], c = s && !(2 & s.__u);
	if (s === null && a == null || c && a == s.key && o == s.type) return n;
	if (r > +!!c) {
		for (i = n - 1; i >= 0; i--) if ((s = t[i]) && !(2 & s.__u) && a == s.key && o == s.type) return i;
		for (i = n + 1; i < t.length; i++) if ((s = t[i]) && !(2 & s.__u) && a == s.key && o == s.type) return i;
	}
	return -1;
}
function ne(e, t, n) {
	n ??= "", t[0] == "-" ? e.setProperty(t, n) : e[t] = n;
}
function A(e, t, n, r, i) {
	var a, o;
	if (t == "style") {
		if (typeof n == "string") e.style.cssText = n;
		else {
			if (typeof r == "string" && (e.style.cssText = r = ""), r) for (t in r) n && t in n || ne(e.style, t);
			if (n) for (t in n) r && n[t] == r[t] || ne(e.style, t, n[t]);
		}
	} else if (t[0] == "o" && t[1] == "n") typeof n != "function" && (n = null), typeof r != "function" && (r = null), (e.__e ||= {})[t] = n, n && r || (o = l[t] || (l[t] = j(t)), (e.__a ||= {})[t] = c, a = t != (t = t.replace(s, "$1")), (t = t.slice(2))[0] < "a" && (t = t.toLowerCase()), n ? e.addEventListener(t, o, a) : e.removeEventListener(t, o, a));
	else {
		if (i == "http://www.w3.org/2000/svg") t = t.replace(/xlink(H|:h)/, "h").replace(/sName$/, "s");
		else if (t != "width" && t != "height" && t != "href" && t != "list" && t != "form" && t != "tabIndex" && t != "download" && t != "rowSpan" && t != "colSpan" && t != "role" && t != "popover" && t in e) try {
			e[t] = n ?? "";
			return;
		} catch {}
		if (typeof n == "function") return;
		n == null || !1 === n && t[4] != "-" ? e.removeAttribute(t) : e.setAttribute(t, t == "popover" && n == 1 ? "" : n);
	}
}
function j(t) {
	return function(n) {
		var r = this.__e;
		if (r) {
			if (r = r[t], n[o] == null) n[o] = c++;
			else if (n[o] < this.__a[t]) return;
			return r(e.event ? e.event(n) : n);
		}
	};
}
function re(t, n, r, i, a, o, s, c, l, d) {
	var p, h, v, y, C, w, T, E, D, O, k, te, ne, A, j, re, M, N, P = n.type;
	if (n.constructor !== u) return null;
	128 & r.__u && (l = 32 & r.__u, p = r.__c.__z) && (n.__u |= l, h = o = [], p.nodeType == 8 ? c = ie(p, o) : o.push(p), c = o[0] || c), (p = e.__b) && p(n);
	n: if (typeof P == "function") {
		v = s.length;
		try {
			if (E = n.props, D = (p = P.prototype) && p.render, O = (p = P.contextType) && i[p.__c], k = p ? O ? O.props.value : p.__ : i, (y = r.__c) ? (n.__c = y, 2 & y.__g && (y.__g |= 1)) : (D ? n.__c = y = new P(E, k) : (n.__c = y = new x(E, k), y.constructor = P, y.render = ce), O && O.sub(y), y.state || (y.state = {}), y.__n = i, y.__g |= 8, y.__h = [], y.__k = []), D && (y.__s || (y.__s = y.state), P.getDerivedStateFromProps && (y.__s == y.state && (y.__s = g({}, y.__s)), g(y.__s, P.getDerivedStateFromProps(E, y.__s)))), C = y.props, w = y.state, y.__v = n, r.__c) {
				if (E !== C && D && !P.getDerivedStateFromProps && y.componentWillReceiveProps && y.componentWillReceiveProps(E, k), n.__v == r.__v && !(8 & y.__g) || !(4 & y.__g) && y.shouldComponentUpdate && !1 === y.shouldComponentUpdate(E, y.__s, k)) {
					n.__v != r.__v && (y.props = E, y.state = y.__s, y.__g &= -9), n.__e = r.__e, n.__k = r.__k, n.__k.some(function(e) {
						e && (e.__ = n);
					}), f.push.apply(y.__h, y.__k), y.__k = [], y.__h.length && s.push(y), c = S(r);
					break n;
				}
				y.componentWillUpdate && y.componentWillUpdate(E, y.__s, k), D && y.componentDidUpdate && y.__h.push(function() {
					y.componentDidUpdate(C, w, T);
				});
			} else D && !P.getDerivedStateFromProps && y.componentWillMount && y.componentWillMount(), D && y.componentDidMount && y.__h.push(y.componentDidMount);
			y.context = k, y.props = E, y.__P = t, y.__g &= -5, te = e.__r, ne = D ? 25 : 0;
			do
				y.__g &= -9, te && te(n), p = y.render(y.props, y.state = y.__s, y.context);
			while (8 & y.__g && ++ne < 25);
			D && (f.push.apply(y.__h, y.__k), y.__k = []), y.state = y.__s, y.getChildContext && (i = g({}, i, y.getChildContext())), D && r.__c && y.getSnapshotBeforeUpdate && (T = y.getSnapshotBeforeUpdate(C, w)), A = p && p.type === b && p.key == null ? p.props.children : p, E.__P && (p = c, a = (t = E.__P).namespaceURI, l = o = null, r.props && r.props.__P != t && (r.__k.some(function(e) {
				e && se(e, e);
			}), r.__k = null), c = r.__k ? S(r, 0) : null), c = ee(t, m(A) ? A : [A], n, r, i, a, o, s, c, l, d), E.__P && (n.__e = null, c = p), n.__u &= -161, h && h.some(_), y.__h.length && s.push(y), 1 & y.__g && (y.__g &= -4);
		} catch (t) {
			if (s.length = v, n.__v = null, l || o) {
				if (t && t.then) {
					if (n.__u |= 128 | l, o) {
						for (~(M = o.indexOf(c || void 0)) || (M = o.length); (N = o[M - 1]) && N.nodeType == 8;) M--;
						for (; M < o.length; M++) if (N = o[M]) {
							if (o[M] = null, j) {
								if (N == re) break;
							} else {
								if (N.nodeType != 8) break;
								N.data.startsWith("$s") && (re = ie(j = N));
							}
						}
					}
					if (!j) {
						for (; c && c.nodeType == 8 && c.nextSibling;) c = c.nextSibling;
						j = c;
					}
					(p = ie(j = n.__c.__z || (n.__c.__z = j))) ? (n.__e = j, c = p) : n.__e = c, c &&= c.nextSibling;
				} else o && o.some(_);
			} else n.__e = r.__e;
			n.__k ||= r.__k || [], t && t.then || ae(n), e.__e(t, n, r);
		}
	} else c = n.__e = oe(r.__e, n, r, i, a, o, s, l, d, t);
	return (p = e.diffed) && p(n), c;
}
function ie(e, t) {
	if (e && e.nodeType == 8 && e.data.startsWith("$s")) for (var n = 1; e = e.nextSibling;) {
		if (e.nodeType == 8) {
			if (e.data.startsWith("$s")) n++;
			else if (e.data.startsWith("/$s") && !--n) return e;
		}
		t && t.push(e);
	}
}
function ae(e) {
	e && (e.__c && (e.__c.__g |= 4), e.__k && e.__k.some(ae));
}
function M(t, n, r) {
	for (var i = 0; i < r.length;) N(r[i++], r[i++], r[i++]);
	e.__c && e.__c(n, t), t.some(function(n) {
		try {
			t = n.__h, n.__h = [], t.some(function(e) {
				e.call(n);
			});
		} catch (t) {
			e.__e(t, n.__v);
		}
	});
}
function oe(t, n, r, i, a, o, s, c, l, u) {
	var f, g, v, y, b, x, C, w, T = r.props || d, E = n.props, D = n.type;
	if (D == "svg" ? a = "http://www.w3.org/2000/svg" : D == "math" ? a = "http://www.w3.org/1998/Math/MathML" : a ||= "http://www.w3.org/1999/xhtml", o) {
		for (f = 0; f < o.length; f++) if ((b = o[f]) && (D ? b.localName == D : b.nodeType == 3)) {
			t = b, o[f] = null;
			break;
		}
	}
	if (!t) {
		if (w = u.ownerDocument || document, !D) return w.createTextNode(E);
		t = w.createElementNS(a, D, E.is ? E : u), c &&= (e.__m && e.__m(n, o), !1), o = null;
	}
	if (D) {
		if (u = D == "template" && t.content || t, o = D == "textarea" && E.defaultValue != null ? null : o && h.call(u.childNodes), !c && o) for (T = {}, f = 0; f < t.attributes.length; f++) T[(b = t.attributes[f]).name] = b.value;
		for (f in T) b = T[f], f == "dangerouslySetInnerHTML" ? v = b : f == "children" || f in E || f == "value" && "defaultValue" in E || f == "checked" && "defaultChecked" in E || A(t, f, null, b, a);
		for (f in E) b = E[f], f == "children" ? y = b : f == "dangerouslySetInnerHTML" ? g = b : f == "value" ? x = b : f == "checked" ? C = b : c && typeof b != "function" || T[f] === b || A(t, f, b, T[f], a);
		g ? (c || v && (g.__html == v.__html || g.__html == t.innerHTML) || (t.innerHTML = g.__html), n.__k = []) : (v && (t.textContent = ""), (D == "foreignObject" || a == "http://www.w3.org/1998/Math/MathML" && p.test(D)) && (a = "http://www.w3.org/1999/xhtml"), ee(u, m(y) ? y : [y], n, r, i, a, o, s, o ? o[0] : r.__k && S(r, 0), c, l), o && o.some(_)), c && D != "textarea" || (f = "value", D == "progress" && x == null ? t.removeAttribute(f) : x == null || x === t[f] && (D != "progress" || x) || A(t, f, x, T[f], a), f = "checked", C != null && C != t[f] && A(t, f, C, T[f], a));
	} else T === E || c && t.data == E || (t.data = E);
	return t;
}
function N(t, n, r, i) {
	try {
		typeof t == "function" ? n ? n.__x = t(n) || 1 : (i &&= i.__c || i.__e) && (n = i.__x) && (i.__x = null, typeof n == "function" ? n() : t(null)) : t.current = n;
	} catch (t) {
		e.__e(t, r);
	}
}
function se(t, n, r) {
	var i, a, o, s;
	if (e.unmount && e.unmount(t), !(i = t.ref) || i.current && i.current != t.__e || N(i, null, n, t), i = t.__c) {
		if (i.componentWillUnmount) try {
			i.componentWillUnmount();
		} catch (t) {
			e.__e(t, n);
		}
		i.__P = i.__n = null;
	}
	if (i = t.__k) for (s = 0; s < i.length; s++) i[s] && se(i[s], n, typeof t.type != "function" || r && !t.props.__P);
	!r && (i = t.__c) && (i = i.__z) && (a = ie(i, o = [])) && (i == t.__e && o.some(_), _(a), _(i)), r || _(t.__e), t.__e = t.__c = t.__ = null;
}
function ce(e, t, n) {
	return this.constructor(e, n);
}
function P(t, n) {
	var r, i, a, o;
	e.__ && e.__(t, n), n.nodeType == 9 && (n = n.documentElement), i = (r = t && 32 & t.__u) ? null : n.__k, n.__k = y(b, { children: [t] }), a = [], o = [], re(n, n.__k, i || d, d, n.namespaceURI, i ? null : n.firstChild ? h.call(n.childNodes) : null, a, i ? i.__e : n.firstChild, r, o), M(a, n.__k, o), n.__k.props.children = null;
}
e = { __e: function(e, t, n, r) {
	for (var a, o, s; t = t.__;) if ((a = t.__c) && !(1 & a.__g)) {
		a.__g |= 4;
		try {
			if ((s = (o = a.constructor) && o.getDerivedStateFromError) && a.setState(o.getDerivedStateFromError(e)), a.componentDidCatch && (a.componentDidCatch(e, r || {}), s = 1), s && 8 & a.__g) return void (a.__g |= 2);
		} catch (t) {
			e = t;
		}
	}
	throw i = 0, e;
} }, t = 0, x.prototype.setState = function(e, t) {
	var n = this.__s;
	n && n != this.state || (n = this.__s = g({}, this.state)), typeof e == "function" && (e = e(g({}, n), this.props)), e && (g(n, e), this.__v && (t && this.__k.push(t), T(this)));
}, x.prototype.forceUpdate = function(e) {
	this.__v && (this.__g |= 4, e && this.__h.push(e), T(this));
}, x.prototype.render = b, n = [], i = 0, a = function(e, t) {
	return e.__v.__b - t.__v.__b;
}, o = Symbol(), s = /(PointerCapture)$|Capture$/i, c = 0, l = {};
// node_modules/preact/hooks/dist/hooks.mjs
var F, I, le, ue, de = Object.is, fe = 0, pe = [], me = [], L = e, he = L.__b, ge = L.__r, _e = L.diffed, ve = L.__c, ye = L.unmount, be = L.__;
function xe(e, t) {
	L.__h && L.__h(I, e, fe || t), fe = 0;
	var n = I.__H || (I.__H = {
		__: [],
		__h: []
	});
	return e >= n.__.length && n.__.push({}), n.__[e];
}
function R(e) {
	return fe = 1, Se(Ne, e);
}
function Se(e, t, n) {
	var r = xe(F++, 2);
	if (r.t = e, !r.__c && (r.__ = [n ? n(t) : Ne(void 0, t), function(e) {
		var t = (r.__N || r.__)[0], n = r.t(t, e);
		de(t, n) || (r.__N = [n, r.__[1]], r.__c.setState({}));
	}], r.__c = I, !I.__f)) {
		I.__f = !0;
		var i = I.shouldComponentUpdate;
		I.shouldComponentUpdate = function(e, t, n) {
			var r = this.__H;
			if (!r) return !0;
			var a = !1, o = this.props != e;
			if (r.__.some(function(e) {
				e.__N && (a = !0, de(e.__[0], e.__N[0]) || (o = !0));
			}), i) {
				var s = i.call(this, e, t, n);
				return a ? s || o : s;
			}
			return !a || o;
		};
	}
	return r.__;
}
function z(e, t) {
	var n = xe(F++, 3);
	!L.__s && Me(n.__H, t) && (n.__P = !0, n.__ = e, n.u = t, I.__H.__h.push(n));
}
function Ce(e, t) {
	var n = xe(F++, 4);
	!L.__s && Me(n.__H, t) && (n.__P = !1, n.__ = e, n.u = t, I.__h.push(n));
}
function B(e) {
	return fe = 5, V(function() {
		return { current: e };
	}, []);
}
function V(e, t) {
	var n = xe(F++, 7);
	return Me(n.__H, t) && (n.__ = e(), n.__H = t), n.__;
}
function we(e, t) {
	return fe = 8, V(function() {
		return e;
	}, t);
}
function Te() {
	var e = xe(F++, 11);
	if (!e.__) {
		for (var t = I.__v; !t.__m && t.__;) t = t.__;
		var n = t.__m || (t.__m = [0, 0]);
		e.__ = "P" + n[0] + "-" + n[1]++;
	}
	return e.__;
}
function Ee() {
	var e;
	do {
		for (; e = me.shift();) try {
			Ae(e);
		} catch (t) {
			L.__e(t, { __: (e = e.__P) && e.__v });
		}
		for (; e = pe.shift();) {
			var t = e.__H;
			if (e.__P && t) try {
				t.__h.some(Ae), t.__h.some(je), t.__h = [];
			} catch (n) {
				t.__h = [], L.__e(n, e.__v);
			}
		}
	} while (me.length);
}
L.__b = function(e) {
	I = null, he && he(e);
}, L.__ = function(e, t) {
	e && t.__k && t.__k.__m && (e.__m = t.__k.__m), be && be(e, t);
}, L.__r = function(e) {
	ge && ge(e), F = 0;
	var t = (I = e.__c).__H;
	t && (le == I ? I.__h = [] : (t.__h.some(Ae), t.__h.some(je), F = 0), t.__h = [], t.__.some(function(e) {
		e.__N && (e.__ = e.__N), e.u = e.__N = void 0;
	})), le = I;
}, L.diffed = function(e) {
	_e && _e(e);
	var t = e.__c;
	t && t.__H && (t.__H.__h.length && ke(pe.push(t)), t.__H.__.some(function(e) {
		e.u && (e.__H = e.u);
	})), le = I = null;
}, L.__c = function(e, t) {
	t.some(function(e) {
		try {
			e.__h.some(Ae), e.__h = e.__h.filter(function(e) {
				return !e.__ || je(e);
			});
		} catch (t) {
			e.__h = [function() {
				throw t;
			}];
		}
	}), ve && ve(e, t);
}, L.unmount = function(e) {
	ye && ye(e);
	var t, n, r = e.__c;
	r && r.__H && (r.__H.__.some(function(r) {
		try {
			if (r.__P && r.__c) {
				if (n === void 0) {
					for (n = e.__; n && (!n.__c || !n.__c.__P);) n = n.__;
					n &&= n.__c;
				}
				r.__P = n, ke(me.push(r));
			} else Ae(r);
		} catch (e) {
			t = e;
		}
	}), r.__H = void 0, t && L.__e(t, r.__v));
};
var De = typeof requestAnimationFrame == "function";
function Oe(e) {
	var t, n = function() {
		clearTimeout(r), De && cancelAnimationFrame(t), setTimeout(e);
	}, r = setTimeout(n, 35);
	De && (t = requestAnimationFrame(n));
}
function ke(e) {
	e != 1 && ue == L.requestAnimationFrame || ((ue = L.requestAnimationFrame) || Oe)(Ee);
}
function Ae(e) {
	var t = I, n = e.__c;
	typeof n == "function" && (e.__c = void 0, n()), I = t;
}
function je(e) {
	var t = I;
	e.__c = e.__(), I = t;
}
function Me(e, t) {
	return !e || e.length != t.length || t.some(function(t, n) {
		return !de(t, e[n]);
	});
}
function Ne(e, t) {
	return typeof t == "function" ? t(e) : t;
}
// src/numbers/base64.ts
function Pe(e) {
	let t = Uint8Array.fromBase64;
	return t ? t.call(Uint8Array, e) : Fe(e);
}
function Fe(e) {
	let t = atob(e), n = new Uint8Array(t.length);
	for (let e = 0; e < t.length; e++) n[e] = t.charCodeAt(e);
	return n;
}
// src/colours/tables.ts
var Ie = {
	viridis: "RAFURAJVRANXRQVYRQZaRQhbRglcRgteRgxfRg5hRw9iRxFjRxJlRxRmRxVnRxZpRxhqSBlrSBpsSBxuSB1vSB5wSCBxSCFySCJzSCN0RyV1RyZ2Ryd3Ryh4Ryp5Ryt6Ryx7Ri18Ri98RjB9RjF+RTJ/RTR/RTWARTaBRDeBRDmCQzqDQzuDQzyEQj2EQj6FQkCFQUGGQUKGQEOHQESHP0WHP0eIPkiIPkmJPUqJPUuJPUyJPE2KPE6KO1CKO1GKOlKLOlOLOVSLOVWLOFaLOFeMN1iMN1mMNlqMNluMNVyMNV2MNF6NNF+NM2CNM2GNMmKNMmONMWSNMWWNMWaNMGeNMGiNL2mNL2qNLmuOLmyOLm2OLW6OLW+OLHCOLHGOLHKOK3OOK3SOKnWOKnaOKneOKXiOKXmOKHqOKHqOKHuOJ3yOJ32OJ36OJn+OJoCOJoGOJYKOJYONJISNJIWNJIaNI4eNI4iNI4mNIomNIoqNIouNIYyNIY2MIY6MII+MIJCMIJGMH5KMH5OLH5SLH5WLH5aLHpeKHpiKHpmKHpmKHpqJHpuJHpyJHp2IHp6IHp+IHqCHH6GHH6KGH6OGIKSFIKWFIaaFIaeEIqeEI6iDI6mCJKqCJauBJqyBJ62AKK5/Ka9/KrB+K7F9LLF9LrJ8L7N7MLR6MrV6M7Z5Nbd4Nrh3OLl2Obl2O7p1Pbt0PrxzQL1yQr5xRL5wRb9vR8BuScFtS8JsTcJrT8NpUcRoU8VnVcZmV8ZlWcdkW8hiXslhYMlgYspfZMtdZ8xcacxba81Zbc5YcM5Wcs9VdNBUd9BSedFRfNJPftJOgdNMg9NLhtRJiNVHi9VGjdZEkNZDktdBldc/l9g+mtg8ndk6n9k4oto3pdo1p9szqtsyrdwwr9wust0std0rt90put4nvd4mv98kwt8ixd8hx+AfyuAezeAdz+Ec0uEb1OEa1+IZ2uIY3OIY3+MY4eMY5OMY5+QZ6eQZ7OQa7uUb8eUc8+Ue9uYf+OYh+uYi/eck",
	inferno: "AAADAAAEAAAGAQAHAQEJAQELAgEOAgIQAwISBAMUBAMWBQQYBgQbBwUdCAYfCQYhCgcjCwcmDQgoDggqDwktEAkvEgoyEwo0FAs2Fgs5Fws7GQs+GgtAHAxDHQxFHwxHIAxKIgtMJAtOJgtQJwtSKQtUKwpWLQpYLgpaMApcMgldNAlfNQlgNwlhOQliOwlkPAllPglmQAlmQQlnQwpoRQppRgppSAtqSgtqSwxrTQxrTw1sUA1sUg5sUw5tVQ9tVw9tWBBtWhFtWxFuXRJuXxJuYBNuYhRuYxRuZRVuZhVuaBZuahduaxdubRhubhhucBluchltcxptdRttdhtteBxtehxtex1sfR1sfh5sgB9rgR9rgyBrhSBqhiFqiCFqiSJpiyJpjSNpjiRokCRokSVnkyVnlSZmliZmmCdlmShkmyhknCljniljoCpioSthoythpCxgpixfpy1fqS5eqy5drC9crjBbrzFbsTFasjJZtDNYtTNXtzRWuDVWujZVuzdUvTdTvjhSvzlRwTpQwjtPxDxOxT1Nxz5MyD5LyT9Ky0BJzEFIzUJHz0RG0EVE0UZD0kdC1EhB1UlA1ko/10s+2U092k4720863FA53VI43lM331Q24FY04lcz41gy5Fox5Vsw5lwu5l4t518s6GEr6WIq6mQo62Un7Gcm7Wgl7Woj7mwi720h8G8f8HAe8XId8nQc8nUa83cZ83kY9HoW9XwV9X4U9oAS9oER94MQ94UO+IcN+IgM+IoL+YwJ+Y4I+ZAI+pEH+pMG+pUG+pcG+5kG+5sG+50G+54H+6AH+6II+6QK+6YL+6gN+6oO+6wQ+64S+7AU+7EW+7MY+7Ua+7cc+7ke+rsh+r0j+r8l+sEo+cMq+cUs+ccv+Mkx+Ms0+M03988699E89tM/9tVC9ddF9dlI9NtL9NxP895S8+BW8+JZ8uRd8uZg8ehk8elo8ets8e1w8e508fB58fJ98vOB8vSF8/aJ9PeN9fiR9vqV9/uZ+fyd+v2g/P6k",
	cividis: "ACJNACNPACNQACRSACVUACZVACZXACdZAChbAChcACleACpgACpiACtkACxmACxnAC1pAC5rAC9tAC9vADBwADBwADFwADFwBDJwCDNwCzNwDjRwETVvFDZvFjZvGDdvGjhvHDhuHTluHzpuITtuIjtuJDxuJT1tJz1tKD5tKj9tKz9tLEBtLkFsL0JsMEJsMUNsMkRsNERsNUVsNkZsN0ZsOEdsOUhsOkhrO0lrPUprPktrP0trQExrQU1rQk1rQ05rRE9rRU9rRlBrR1FrSFFrSVJrSlNrS1RsTFRsTVVsTlZsTlZsT1dsUFhsUVhsUllsU1psVFpsVVttVlxtV11tWF1tWV5tWV9tWl9tW2BuXGFuXWFuXmJuX2NuYGRuYWRvYWVvYmZvY2ZvZGdvZWhwZmlwZ2lwaGpwaGtxaWtxamxxa21xbG1ybW5ybm9ybnBzb3BzcHFzcXJzcnN0c3N0dHR1dHV1dXV1dnZ2d3d2eHh2eXh3eXl3enp3e3t3fHt4fXx4fn14f314gH54gX94goB4g4B4hIF4hYJ4hYN4hoN4h4R4iIV4iYZ4ioZ4i4d4jIh4jYl4jol4j4p3kIt3kYx3kox3k413lI53lY93lo93l5B2mJF2mZJ2mpN2m5N2nJR2nZV1npZ1n5Z1oJd1oZh0opl0o5p0pJp0pZtzppxzp51zqJ5zqZ5yqp9yq6ByrKFxraJxrqJxr6NwsKRwsaVwsqZvs6ZvtKdvtahutqlut6ptuKttuattuqxsu61svK5rva9rvrBqv7BqwbFpwrJpw7NoxLRoxbVnxrVnx7ZmyLdlybhlyrlky7pkzLtjzbxizrxiz71h0L5g0r9g08Bf1MFe1cJe1sNd18Nc2MRb2cVa2sZa28dZ3MhY3slX38pW4MtV4cxU4sxT481S5M5R5c9Q5tBP6NFO6dJN6tNM69RL7NVK7dZI7tdH79hG8dlE8tpD89pC9NtA9dw/9t09+N47+d86+uA4++E2/eI0/eMz/eU0/eY2/ec3",
	grey: "AAAAAQEBAgICAwMDBAQEBQUFBgYGBwcHCAgICQkJCgoKCwsLDAwMDQ0NDg4ODw8PEBAQEREREhISExMTFBQUFRUVFhYWFxcXGBgYGRkZGhoaGxsbHBwcHR0dHh4eHx8fICAgICAgIiIiIyMjJCQkJCQkJiYmJycnKCgoKCgoKioqKysrLCwsLCwsLi4uLy8vMDAwMDAwMjIyMzMzNDQ0NDQ0NjY2Nzc3ODg4ODg4Ojo6Ozs7PDw8PDw8Pj4+Pz8/QEBAQUFBQUFBQ0NDRERERUVFRkZGR0dHSEhISUlJSUlJS0tLTExMTU1NTk5OT09PUFBQUVFRUVFRU1NTVFRUVVVVVlZWV1dXWFhYWVlZWVlZW1tbXFxcXV1dXl5eX19fYGBgYWFhYWFhY2NjZGRkZWVlZmZmZ2dnaGhoaWlpaWlpa2trbGxsbW1tbm5ub29vcHBwcXFxcXFxc3NzdHR0dXV1dnZ2d3d3eHh4eXl5eXl5e3t7fHx8fX19fn5+f39/gICAgYGBgoKCg4ODg4ODhYWFhoaGh4eHiIiIiYmJioqKi4uLjIyMjY2Njo6Oj4+PkJCQkZGRkpKSk5OTk5OTlZWVlpaWl5eXmJiYmZmZmpqam5ubnJycnZ2dnp6en5+foKCgoaGhoqKio6Ojo6OjpaWlpqamp6enqKioqampqqqqq6urrKysra2trq6ur6+vsLCwsbGxsrKys7Ozs7OztbW1tra2t7e3uLi4ubm5urq6u7u7vLy8vb29vr6+v7+/wMDAwcHBwsLCw8PDw8PDxcXFxsbGx8fHyMjIycnJysrKy8vLzMzMzc3Nzs7Oz8/P0NDQ0dHR0tLS09PT09PT1dXV1tbW19fX2NjY2dnZ2tra29vb3Nzc3d3d3t7e39/f4ODg4eHh4uLi4+Pj4+Pj5eXl5ubm5+fn6Ojo6enp6urq6+vr7Ozs7e3t7u7u7+/v8PDw8fHx8vLy8/Pz8/Pz9fX19vb29/f3+Pj4+fn5+vr6+/v7/Pz8/f39/v7+////",
	difference: "OkzAO03BPE/DPlHEP1PGQFTHQVbJQljKQ1rMRVvNRl3PR1/QSGDRSWLTS2TUTGbWTWfXTmnYUGvaUWzbUm7cU3DdVXHeVnPgV3XhWHbiWnjjW3nkXHvlXX3mX37nYIDoYYLqY4PqZIXrZYbsZ4jtaInuaYvva43wbI7xbZDxb5HycJPzcZT0c5X0dJf1dZj2d5r2eJv3ep34e574fKD5fqH5f6L6gKT6gqX7g6b7haj7hqn8h6r8iaz8iq39i679ja/9jrH9kLL+kbP+krT+lLX+lbf+l7j+mLn+mbr+m7v+nLz+nb3+n77+oL/+osD+o8H+pML+psP9p8T9qMX9qsb9q8f8rMj8rsn8r8r7sMv7ssv7s8z6tM36ts75t8/5uM/4udD4u9H3vNH2vdL2vtP1wNP1wdT0wtTzw9XyxdXyxtbxx9bwyNfvydfuytjuzNjtzdnsztnrz9nq0Nrp0dro0trn09vm1dvl1tvk19vi2Nvh2dzg2tzf29ze3Nzd3dzb3tva39vZ4NrX4drW4tnU49nT5NjR5djQ5tfP59bN59bM6NXK6dTJ6tPH69PG7NLE7NHD7dDB7c/A7s++786878278My58cu48cq28sm18siz8sey88aw88Wv9MSt9MOr9MKq9cGo9cCn9b+l9r2k9ryi9rug9rqf9rmd9rec9raa97WY97OX97KV97GU97CS966R962P9quN9qqM9qmK9qeJ9qaH9qSG9qOE9aGC9aCB9Z5/9J1+9Jt89Jp785h585Z485V28pN18pFz8ZBy8Y5w8I1v8Itt74ls7odq7oZp7YRn7IJm7IBk639j6n1h6ntg6Xle6Hdd53Vc5nRa5nJZ5XBX5G5W42xU4mpT4WhS4GZQ32RP3mJO3WBM3F5L21xK2lpI2VhH2FZG11RE1lJD1E9C001A0ks/0Uk+z0Y9zkQ8zUI6zD85yj04yTs3yDg1xjU0xTIzxDAywi0xwSowvyguviMtvB8suxoruRYquBEptg0otQgnswMm"
}, Le = [
	"viridis",
	"inferno",
	"cividis",
	"grey"
], Re = [
	"#e69f00",
	"#0072b2",
	"#009e73",
	"#d55e00",
	"#56b4e9"
], ze = /* @__PURE__ */ new Map();
function Be(e) {
	let t = ze.get(e);
	return t || ze.set(e, t = Pe(Ie[e])), t;
}
function Ve(e) {
	return e > 0 ? Math.min(255, Math.floor(e * 256)) : 0;
}
function He(e, t, n, r, i = () => 1) {
	for (let a = 0; a < e.length; a++) {
		let o = e[a], s = !Number.isNaN(o), c = s ? 3 * Ve(t(o)) : 0;
		for (let e = 0; e < 3; e++) r[4 * a + e] = s ? n[c + e] : 0;
		r[4 * a + 3] = s ? 255 * i(a) : 0;
	}
}
// src/maps/format.ts
var Ue = "−", We = "—";
function H(e) {
	let t = 100 * e, n = Math.abs(t);
	return Number.isFinite(t) ? n === 0 ? "0 %" : n < .001 ? t < 0 ? `>${Ue}0.001 %` : "<0.001 %" : `${Ye(t, n >= 89.95 ? 3 : 2)} %` : We;
}
function Ge(e) {
	let t = H(e);
	return e > 0 && /^\d/.test(t) ? `+${t}` : t;
}
function U(e) {
	return Number.isFinite(e) ? `${W(100 * e)} %` : We;
}
function Ke(e, t) {
	let n = e / t;
	return Number.isFinite(n) ? n > 0 && n < .001 ? "<0.001" : Ye(n, 2) : We;
}
function qe(e) {
	return Number.isFinite(e) ? `${Math.abs(e) < 10 ? Ye(e, 2) : Je(e)} px` : We;
}
function Je(e) {
	return e.toFixed(0).replace("-", Ue);
}
function W(e) {
	let t = Ye(e, 3);
	return t.includes(".") ? t.replace(/\.?0+$/, "") : t;
}
function Ye(e, t) {
	if (e === 0) return "0";
	let n = e.toExponential(t - 1), r = Number(n.slice(n.indexOf("e") + 1)), i = Math.min(100, Math.max(0, t - 1 - r));
	return Number(n).toFixed(i).replace("-", Ue);
}
// src/maps/scale.ts
var Xe = 3, Ze = .12;
function Qe(e, t) {
	let n = et(e, t);
	if (!(Number.isFinite(n) && n > 0)) return tt(e, n);
	let r = t.maximum > n;
	return {
		name: e,
		position: e === "logarithmic" ? nt(n) : (e) => rt(e / n),
		ticks: it(e, n, t, r),
		words: ct(e, n, t, r),
		clipped: r
	};
}
function $e(e) {
	let t = "difference";
	if (!(Number.isFinite(e) && e > 0)) return {
		name: t,
		position: () => .5,
		ticks: [{
			position: .5,
			label: "0"
		}],
		words: e === 0 ? "no difference" : "the difference is not a number",
		clipped: !1
	};
	let n = [`−${U(e)}`, `+${U(e)}`];
	return {
		name: t,
		position: (t) => Number.isNaN(t) ? .5 : rt(.5 + t / (2 * e)),
		ticks: [
			{
				position: 0,
				label: n[0]
			},
			{
				position: .5,
				label: "0"
			},
			{
				position: 1,
				label: n[1]
			}
		],
		words: `${n[0]} to ${n[1]}, centred on no difference`,
		clipped: !1
	};
}
function et(e, { maximum: t, shared: n, uniform: r, ceiling: i }) {
	return e === "uniform" ? i * r : e === "shared" ? n : t;
}
function tt(e, t) {
	return {
		name: e,
		position: () => 0,
		ticks: [{
			position: 0,
			label: "0"
		}],
		words: t === 0 ? "no weight: 0 everywhere" : "no scale: the map's maximum is not a number above 0",
		clipped: !1
	};
}
function nt(e) {
	return (t) => rt(1 + Math.log10(t / e) / Xe);
}
function rt(e) {
	return e > 0 ? Math.min(1, e) : 0;
}
function it(e, t, { ceiling: n }, r) {
	let i = r ? "≥" : "";
	return e === "logarithmic" ? st(t) : e === "uniform" ? at(n, "×", i) : at(100 * t, " %", i);
}
function at(e, t, n) {
	let r = ot(e / 4), i = [{
		position: 0,
		label: "0"
	}];
	for (let n = 1; n * r < .88 * e; n++) i.push({
		position: n * r / e,
		label: `${W(n * r)}${t}`
	});
	return [...i, {
		position: 1,
		label: `${n}${W(e)}${t}`
	}];
}
function ot(e) {
	let t = 10 ** Math.floor(Math.log10(e));
	return ([
		1,
		2,
		5,
		10
	].find((n) => n * t >= e * (1 - 1e-9)) ?? 10) * t;
}
function st(e) {
	let t = nt(e), n = [], r = Math.floor(Math.log10(100 * e));
	for (let e = r - Xe; e <= r; e++) {
		let r = t(10 ** e / 100);
		r > 0 && r < .88 && n.push({
			position: r,
			label: U(10 ** e / 100)
		});
	}
	let i = n.every((e) => e.position > Ze), a = {
		position: 0,
		label: `≤${U(e / 10 ** Xe)}`
	};
	return [
		...i ? [a] : [],
		...n,
		{
			position: 1,
			label: U(e)
		}
	];
}
function ct(e, t, n, r) {
	let { maximum: i, uniform: a, ceiling: o } = n, s = r ? `; higher values, up to ${W(i / a)} times, have the top colour` : "";
	switch (e) {
		case "linear": return `0 to this map's maximum, ${U(t)}`;
		case "shared": return `0 to the maximum of all heads of this layer, ${U(t)}`;
		case "uniform": return `0 to ${W(o)} times uniform attention, ${U(t)}${s}`;
		case "logarithmic": return `logarithmic, from ${U(t / 10 ** Xe)} and less to this map's maximum, ${U(t)}`;
	}
}
// src/maps/mass.ts
function lt(e, t) {
	if (!(t >= 0 && t <= 1)) throw RangeError(`mass must be from 0 to 1; found ${t}`);
	let n = ut(e), r = new Uint8Array(e.length), [i, a] = [0, 0];
	for (let o of dt(e)) {
		let s = e[o];
		if (i >= t * n * .999999999999 || s === 0) break;
		r[o] = 1, i += s, a++;
	}
	return {
		chosen: r,
		count: a,
		held: n > 0 ? Math.min(1, i / n) : 0
	};
}
function ut(e) {
	let t = 0;
	for (let n = 0; n < e.length; n++) {
		let r = e[n];
		if (!(r >= 0 && r < Infinity)) throw RangeError(`a map must hold finite numbers ≥ 0; found ${r} at patch ${n}`);
		t += r;
	}
	return t;
}
function dt(e) {
	return Uint32Array.from({ length: e.length }, (e, t) => t).sort((t, n) => e[n] - e[t] || t - n);
}
// src/state/crops.ts
var ft = [
	0,
	0,
	1,
	1
];
function pt(e, t) {
	if (!e.box || !t.box || e.original === null || e.original !== t.original) return ft;
	let [n, r, i, a] = t.box, [o, s, c, l] = e.box, [u, d] = [a - r, i - n];
	return [
		(s - r) / u,
		(o - n) / d,
		(l - r) / u,
		(c - n) / d
	];
}
// src/maps/resample.ts
var mt = 1e-9;
function ht(e, t, n, r = ft) {
	let [i, a, o, s] = r, c = gt(t[0], n[0], i, o), l = gt(t[1], n[1], a, s), u = new Float64Array(n[0] * n[1]);
	for (let r of c) for (let i of l) {
		let a = Number.isNaN(r.share + i.share) ? NaN : e[r.from * t[1] + i.from];
		u[r.to * n[1] + i.to] += a * r.share * i.share;
	}
	return Float32Array.from(u);
}
function gt(e, t, n, r) {
	let i = (i) => {
		let a = e * (n + (r - n) * i / t);
		return Math.abs(a - Math.round(a)) < mt ? Math.round(a) : a;
	};
	return Array.from({ length: t }, (t, n) => {
		let [r, a] = [i(n), i(n + 1)];
		if (r < 0 || a > e) return [{
			from: 0,
			to: n,
			share: NaN
		}];
		let o = Math.floor(r);
		return Array.from({ length: Math.ceil(a) - o }, (e, t) => {
			let i = o + t;
			return {
				from: i,
				to: n,
				share: Math.min(a, i + 1) - Math.max(r, i)
			};
		});
	}).flat();
}
// src/state/query.ts
var _t = /^(0|[1-9]\d{0,4}),(0|[1-9]\d{0,4})$/, vt = /* @__PURE__ */ new Map([["cls", "class token"], ["dist", "distillation token"]]);
function yt(e, t) {
	return `${e},${t}`;
}
function G(e, t) {
	let { prefix: n, grid: r } = t.layout, i = n.indexOf(e);
	if (i >= 0) return {
		kind: "prefix",
		token: i,
		name: e
	};
	if (e === "mean") return { kind: "mean" };
	if (e === "pool") return t.images.every((e) => e.pool) ? { kind: "pool" } : null;
	let [, a, o] = (_t.exec(e) ?? []).map(Number);
	return a === void 0 || o === void 0 || a >= r[0] || o >= r[1] ? null : {
		kind: "patch",
		token: n.length + a * r[1] + o,
		row: a,
		column: o
	};
}
function bt(e) {
	let t = e.layout.prefix.map((e) => ({
		query: e,
		label: xt(e),
		title: St(e)
	})), n = e.images.every((e) => e.pool) ? [{
		query: "pool",
		label: "Pool",
		title: "the pooling head's own query, in the last layer"
	}] : [];
	return [
		...t,
		...n,
		{
			query: "mean",
			label: "Mean",
			title: "mean over all patch queries"
		}
	];
}
function xt(e) {
	let t = /^reg(\d+)$/.exec(e);
	return t ? `R${t[1]}` : e.toUpperCase();
}
function St(e) {
	let t = /^reg(\d+)$/.exec(e);
	return t ? `register ${t[1]}` : vt.get(e) ?? `token ${e}`;
}
function Ct(e, t) {
	let n = G(e, t);
	return e === "outside" ? "a place outside a crop" : n ? n.kind === "prefix" ? St(n.name) : n.kind === "patch" ? `patch row ${n.row}, column ${n.column}` : n.kind === "mean" ? "mean over the patch queries" : "pooling head's query" : e;
}
function wt(e, t) {
	let n = Ct(e, t);
	return /^(class|distillation|mean|pooling)/.test(n) ? `the ${n}` : n;
}
var Tt = "outside";
function Et(e, t, n, r = ft) {
	let i = G(e, t);
	if (i?.kind !== "patch") return e;
	let a = (e, i) => {
		let a = (e + .5) / t.layout.grid[i];
		return Math.floor((a - r[i]) / (r[i + 2] - r[i]) * n.layout.grid[i]);
	}, [o, s] = [a(i.row, 0), a(i.column, 1)];
	return o >= 0 && s >= 0 && o < n.layout.grid[0] && s < n.layout.grid[1] ? yt(o, s) : Tt;
}
function Dt(e, t, n, r) {
	let [i, a] = r.layout.grid, o = G(e, r);
	if (o?.kind !== "patch") return yt(Math.floor(i / 2), Math.floor(a / 2));
	let s = (e, t) => Math.min(t - 1, Math.max(0, e));
	return yt(s(o.row + t, i), s(o.column + n, a));
}
// src/state/views.ts
function K(e) {
	return e.looks.flatMap((e, t) => e.images.map((e, n) => ({
		look: t,
		image: n
	})));
}
function q(e, t) {
	return e.looks[K(e)[t]?.look ?? 0] ?? e.looks[0];
}
function J(e, t) {
	return q(e, t).images[K(e)[t]?.image ?? 0] ?? e.looks[0].images[0];
}
function Ot({ layout: e }) {
	let t = e.grid[0] * e.grid[1], n = e.prefix.length;
	return {
		patches: t,
		prefix: n,
		tokens: n + t
	};
}
function kt(e, t, n) {
	let r = K(e)[t]?.image, i = K(e).findIndex((e) => e.look === n && e.image === r);
	return i >= 0 ? i : null;
}
// src/attention/average.ts
function At(e, t, n, r, i) {
	r.fill(0);
	for (let a = 0; a < e.heads; a++) {
		let o = n === "from" ? e.row(a, t, i) : e.column(a, t, i);
		for (let t = 0; t < r.length; t++) r[t] += o[t] / e.heads;
	}
	return r;
}
// src/engine/maps.ts
function Y(e) {
	return typeof e == "object" && "values" in e;
}
function jt(e, t) {
	let n = q(e.payload, t.view), r = G(t.query, n);
	return t.query === "outside" ? { absent: "only one of the crops reaches it" } : r ? t.direction === "to" && r.kind !== "patch" && r.kind !== "prefix" ? { absent: "nothing attends to a mean of queries: choose a patch or a prefix token" } : r.kind === "pool" ? Pt(e, t) : Ft(e, t, r, t.layer === "mean" ? n.layers.map((e, t) => t) : [t.layer]) : { absent: `this model has no query “${t.query}”` };
}
function Mt(e, t, n) {
	let r = J(e.payload, t), { patches: i, tokens: a } = Ot(q(e.payload, t));
	if (!r.rollout) return { absent: r.rollout_absent ?? "there is no rollout" };
	let o = e.numbers(r.rollout), s = Math.min(n, o.length / i - 1);
	return Rt(o.subarray(s * i, (s + 1) * i), /* @__PURE__ */ new Float32Array(), 1 / a, 1);
}
function Nt(e, t) {
	if (t.layer === "mean") return NaN;
	let n = t.query === "pool" ? J(e.payload, t.view).pool : null, r = (n ? n.shape[0] : q(e.payload, t.view).layers[t.layer]?.heads) ?? 0, i = 0;
	for (let n = 0; n < r; n++) {
		let r = jt(e, {
			...t,
			head: n
		});
		Y(r) && (i = Math.max(i, r.maximum));
	}
	return i;
}
function Pt(e, { view: t, layer: n, head: r }) {
	let i = J(e.payload, t), a = q(e.payload, t), { patches: o } = Ot(a), s = a.layers.length - 1;
	if (!i.pool) return { absent: "this model has no pooling head" };
	if (n !== s) return { absent: `the pooling head reads the last layer, ${s}` };
	let [c = 0, l = 0] = i.pool.shape, u = e.numbers(i.pool);
	if (r !== "mean" && r >= c) return { absent: `the pooling head has ${c} heads` };
	let d = new Float32Array(l), f = r === "mean" ? Array.from({ length: c }, (e, t) => t) : [r];
	for (let e of f) for (let t = 0; t < l; t++) d[t] += u[e * l + t] / f.length;
	return Rt(d.subarray(l - o), d.subarray(0, l - o), 1 / l, 1);
}
function Ft(e, t, n, r) {
	let { tokens: i, prefix: a } = Ot(q(e.payload, t.view)), o = new Float32Array(i), s = new Float32Array(i), c = new Float32Array(i), l = 0, u = "";
	for (let a of r) {
		let r = e.layer(t.view, a);
		if (r.kind === "pending") return "pending";
		if (r.kind === "absent") u = `layer ${a}: ${r.absent}`;
		else if (t.head !== "mean" && t.head >= r.layer.heads) u = `layer ${a} has ${r.layer.heads} heads`;
		else {
			It(r.layer, t, n, s, c);
			for (let e = 0; e < i; e++) o[e] += s[e];
			l++;
		}
	}
	if (l === 0) return { absent: u };
	for (let e = 0; e < i; e++) o[e] /= l;
	return Rt(o.subarray(a), o.subarray(0, a), 1 / i, l);
}
function It(e, { head: t, direction: n }, r, i, a) {
	if (r.kind === "mean") Lt(e, t, i);
	else if (r.kind === "pool") throw Error("a pooling head's row is not computed from a layer");
	else t === "mean" ? At(e, r.token, n, i, a) : n === "from" ? e.row(t, r.token, i) : e.column(t, r.token, i);
}
function Lt(e, t, n) {
	if (t !== "mean") return n.set(e.meanRow(t));
	n.fill(0);
	for (let t = 0; t < e.heads; t++) {
		let r = e.meanRow(t);
		for (let t = 0; t < n.length; t++) n[t] += r[t] / e.heads;
	}
}
function Rt(e, t, n, r) {
	let i = 0, a = 0;
	for (let t of e) i = Math.max(i, t), a += t;
	return Number.isFinite(t.reduce((e, t) => e + t, a)) ? {
		values: e,
		prefix: t,
		maximum: i,
		total: a,
		uniform: n,
		layers: r
	} : { absent: "some of its weights are not numbers" };
}
// src/engine/pane.ts
function zt(e) {
	return e.readout;
}
function Bt(e, t, n) {
	return t ?? e.locked.at(-1) ?? zt(n);
}
function Vt(e, t, n) {
	return Wt(e, t, t.shown, n);
}
function Ht(e, t, n) {
	if (t.compared === null) return null;
	let [r, i] = [q(e.payload, t.shown), q(e.payload, t.compared)], [a, o] = [J(e.payload, t.shown), J(e.payload, t.compared)], s = (e) => Ut(e, {
		look: r,
		image: a
	}, {
		look: i,
		image: o
	}), c = t.difference ? {
		...t,
		locked: t.locked.slice(-1)
	} : t, l = Wt(e, {
		...c,
		layer: Qt(t.layer, r, i),
		head: $t(t.head, i),
		start: Number(Qt(t.start, r, i)),
		locked: c.locked.map(s)
	}, t.compared, n && s(n));
	return t.difference ? Kt(l, Wt(e, c, t.shown, n)) : l;
}
function Ut(e, t, n) {
	return Et(e, t.look, n.look, pt(n.image, t.image));
}
function Wt(e, t, n, r) {
	let i = q(e.payload, n), a = t.method === "rollout" ? zt(i) : Bt(t, r, i), o = {
		view: n,
		layer: t.layer,
		head: t.head,
		query: a,
		direction: t.direction
	}, s = t.method === "rollout" ? Mt(e, n, t.start) : jt(e, o), c = G(a, i), l = Gt(t, s, t.scale === "shared" && t.method !== "rollout" ? Nt(e, o) : NaN), u = r === null && t.method !== "rollout" ? qt(e, t, o) : [];
	return {
		view: n,
		look: i,
		image: J(e.payload, n),
		query: a,
		token: c?.kind === "patch" ? c : null,
		direction: t.direction,
		map: s,
		difference: null,
		scale: l,
		colours: t.colours,
		mask: t.method === "mask" && Y(s) && u.length === 0 ? lt(s.values, t.mass) : null,
		tinted: u,
		caption: Jt(t, i, a, s, u.length)
	};
}
function Gt(e, t, n) {
	let r = Y(t) ? t.maximum : 0, i = Y(t) ? t.uniform : 1;
	return Qe(e.scale === "shared" && Number.isNaN(n) ? "linear" : e.scale, {
		maximum: r,
		shared: n,
		uniform: i,
		ceiling: e.ceiling
	});
}
function Kt(e, t) {
	if (e.map === "pending" || t.map === "pending") return {
		...e,
		map: "pending",
		mask: null
	};
	if (!Y(e.map)) return e;
	if (!Y(t.map)) return {
		...e,
		caption: `Not the difference, as A has no map: ${t.map.absent}. ${e.caption}`
	};
	let n = pt(e.image, t.image), r = ht(t.map.values, t.look.layout.grid, e.look.layout.grid, n), i = e.map.values.map((e, t) => e - r[t]), a = i.filter((e) => !Number.isNaN(e)), o = a.reduce((e, t) => Math.max(e, Math.abs(t)), 0), s = a.reduce((e, t) => e + t, 0), c = String(e.look.layout.grid) === String(t.look.layout.grid) && String(n) === String(ft) ? "" : ", A laid on this grid by area", l = a.length < i.length ? ", where both crops reach" : "";
	return {
		...e,
		difference: {
			...e.map,
			values: i,
			prefix: /* @__PURE__ */ new Float32Array(),
			maximum: o,
			total: s
		},
		scale: $e(o),
		colours: "difference",
		mask: null,
		caption: `B − A${c}${l}. ${e.caption}`
	};
}
function qt(e, t, n) {
	if (t.locked.length < 2) return [];
	let r = q(e.payload, n.view), i = t.locked.flatMap((i, a) => {
		let o = jt(e, {
			...n,
			query: i
		});
		return Y(o) ? [{
			query: i,
			colour: Re[a % Re.length],
			words: Ct(i, r),
			caption: Jt(t, r, i, o, 0),
			map: o,
			mask: lt(o.values, t.mass)
		}] : [];
	});
	return i.length > 1 ? i : [];
}
function Jt(e, t, n, r, i) {
	let a = !Y(r) && r !== "pending" ? `: ${r.absent}` : "";
	if (e.method === "rollout") return `${Zt(t.conventions.rollout)}, from layer ${e.start} on${a}.`;
	let o = wt(n, t), s = i > 0 ? `What each of ${i} queries attends to` : `What ${o} attends to`;
	return `${e.direction === "from" ? s : `Who attends to ${i > 0 ? `each of ${i} tokens` : o}`}, ${e.layer === "mean" ? Yt(r, t) : `layer ${e.layer}`}, ${e.head === "mean" ? "mean over heads" : `head ${e.head}`}${a}.`;
}
function Yt(e, t) {
	let n = t.layers.length;
	return Y(e) && e.layers < n ? `mean over ${e.layers} of ${n} layers` : "mean over layers";
}
function Xt(e, t) {
	return `${H(e.held)} of the mass in ${e.count} of ${t} patches`;
}
function Zt(e) {
	return e.charAt(0).toUpperCase() + e.slice(1);
}
function Qt(e, t, n) {
	return e === "mean" || t.layers.length === 1 ? e : Math.round(e * (n.layers.length - 1) / (t.layers.length - 1));
}
function $t(e, t) {
	return e === "mean" ? e : Math.min(e, Math.max(...t.layers.map((e) => e.heads)) - 1);
}
// src/engine/words.ts
function en(e, t) {
	let n = e.look.layout.grid[1], r = `patch row ${Math.floor(t / n)}, column ${t % n}`, i = X(e);
	if (!i) return r;
	let a = i.values[t] ?? NaN;
	return e.tinted.length > 0 ? `${r}: ${e.tinted.map((e) => `${H(e.map.values[t] ?? NaN)} of ${e.words}`).join("; ")}` : Number.isNaN(a) ? `${r}: only one of the crops reaches it` : e.difference ? `${r}: ${Ge(a)} beside the first` : `${r}: ${H(a)}, ${Ke(a, i.uniform)} times uniform`;
}
function tn(e) {
	let t = X(e);
	if (!t) return e.caption;
	if (e.tinted.length > 0) return `${e.caption} ${e.tinted.map((t) => nn(t, e)).join(" ")}`;
	let n = on(t, e.look.layout.grid[1], 1)[0], r = rn(e);
	return `${e.caption} Strongest: ${n ? en(e, n.patch) : "none"}.${r ? ` ${r}.` : ""}`;
}
function nn({ words: e, map: t }, n) {
	let [r] = on(t, n.look.layout.grid[1], 1), i = r ? `strongest at row ${r.row}, column ${r.column}, ${H(r.weight)}` : "no weight";
	return `${e.charAt(0).toUpperCase()}${e.slice(1)}: ${i}.`;
}
function rn(e) {
	let t = X(e), n = t ? an(t, e.look) : [];
	if (!t || n.length === 0) return "";
	let r = n.map(({ name: e, weight: t }) => `${xt(e)} ${H(t)}`).join(", ");
	return e.direction === "to" ? `Received from ${r}, patches ${W(t.total)}` : `${r}, patches ${H(t.total)}`;
}
function an(e, t) {
	let n = t.layout.prefix.length - e.prefix.length;
	return Array.from(e.prefix, (e, r) => ({
		name: t.layout.prefix[n + r] ?? "",
		weight: e
	}));
}
function on(e, t, n) {
	let r = (t) => Math.abs(e.values[t] ?? 0), i = Array.from(e.values, (e, t) => t).filter((t) => !Number.isNaN(e.values[t]));
	return i.sort((e, t) => r(t) - r(e) || e - t), i.slice(0, n).map((n) => ({
		patch: n,
		row: Math.floor(n / t),
		column: n % t,
		weight: e.values[n] ?? 0
	}));
}
function X(e) {
	return e.difference ?? (Y(e.map) ? e.map : null);
}
// src/numbers/csv.ts
function sn(e, t) {
	return [e, ...t].map((e) => e.map(cn).join(",") + "\r\n").join("");
}
function cn(e) {
	let t = typeof e == "number" ? String(e) : ln(e);
	return /[",\r\n]/.test(t) ? `"${t.replaceAll("\"", "\"\"")}"` : t;
}
function ln(e) {
	return /^[=+\-@\t\r]/.test(e) ? `'${e}` : e;
}
// src/engine/tints.ts
var un = .2;
function dn(e, t) {
	let n = 1 / e.length;
	return e.flatMap(({ mask: e, map: r, colour: i }, a) => Array.from(r.values).flatMap((o, s) => {
		if (!e.chosen[s]) return [];
		let c = un + .7 * o / (r.maximum || 1);
		return [{
			x: s % t + a * n,
			y: Math.floor(s / t),
			width: n,
			colour: i,
			opacity: c
		}];
	}));
}
// src/maps/outline.ts
var [fn, pn, mn, hn] = [
	0,
	1,
	2,
	3
], gn = [
	[0, 1],
	[1, 0],
	[0, -1],
	[-1, 0]
];
function _n(e, t) {
	let n = vn(e, t), r = new Uint8Array(n.length), i = "";
	for (let e = 0; e < n.length; e++) n[e] & ~r[e] & 1 << fn && (i += yn(n, r, e, t[1] + 1));
	return i;
}
function vn(e, [t, n]) {
	let r = n + 1, i = new Uint8Array((t + 1) * r), a = (r, i) => r >= 0 && r < t && i >= 0 && i < n && e[r * n + i] > 0;
	for (let e = 0; e < t; e++) for (let t = 0; t < n; t++) {
		if (!a(e, t)) continue;
		let n = e * r + t;
		a(e - 1, t) || (i[n] |= 1 << fn), a(e, t + 1) || (i[n + 1] |= 1 << pn), a(e + 1, t) || (i[n + r + 1] |= 1 << mn), a(e, t - 1) || (i[n + r] |= 1 << hn);
	}
	return i;
}
function yn(e, t, n, r) {
	let i = n, a = fn, o = `M${n % r} ${Math.floor(n / r)}`;
	for (;;) {
		t[i] |= 1 << a;
		let [s, c] = gn[a];
		i += s * r + c;
		let l = bn(e[i], a);
		if (i === n && l === fn) return `${o}Z`;
		l !== a && (o += a % 2 == 0 ? `H${i % r}` : `V${Math.floor(i / r)}`), a = l;
	}
}
function bn(e, t) {
	let n = (t + 1) % 4;
	return e & 1 << n ? n : e & 1 << t ? t : (t + 3) % 4;
}
// src/maps/smooth.ts
function xn(e, t, n) {
	let [r, i] = [Cn(t[0], n), Cn(t[1], n)], a = new Float32Array(r.length * i.length), o = 0;
	for (let { low: n, high: s, part: c } of r) for (let r of i) {
		let i = Sn(e, n * t[1], r), l = Sn(e, s * t[1], r);
		a[o++] = i + c * (l - i);
	}
	return {
		values: a,
		size: [r.length, i.length]
	};
}
function Sn(e, t, { low: n, high: r, part: i }) {
	let a = e[t + n];
	return a + i * (e[t + r] - a);
}
function Cn(e, t) {
	return Array.from({ length: e * t }, (n, r) => {
		let i = Math.min(e - 1, Math.max(0, (r + .5) / t - .5)), a = Math.floor(i);
		return {
			low: a,
			high: Math.min(e - 1, a + 1),
			part: i - a
		};
	});
}
// src/export/svg.ts
var Z = 640, wn = 20, Tn = 24, En = 17, Dn = 88, On = RegExp(`[^ ]{1,${Dn}}`, "gu"), kn = 64;
function An(e, t) {
	let n = e.map((e, n) => jn(e, t, n)), r = 40 + e.length * Z + (e.length - 1) * Tn, i = 40 + Math.max(...n.map((e) => e.height));
	return `<svg xmlns="http://www.w3.org/2000/svg" width="${r}" height="${i}" viewBox="0 0 ${r} ${i}" font-family="system-ui, sans-serif" font-size="13" fill="#1b1f24"><rect width="${r}" height="${i}" fill="#ffffff"/>${n.map(({ text: e }, t) => `<g transform="translate(${wn + t * 664} ${wn})">${e}</g>`).join("")}</svg>`;
}
function jn(e, t, n) {
	let [r, i] = e.image.input_size, a = Z * r / i, [o, s] = e.look.layout.grid, c = `clip-${n}`, l = `scale(${Z / s} ${a / o})`, u = Ln(e);
	return {
		text: [
			`<clipPath id="${c}"><rect width="${Z}" height="${a}"/></clipPath>`,
			`<g clip-path="url(#${c})"><rect width="${Z}" height="${a}" fill="#888888"/>`,
			Mn(e, a, t.opacity > 0),
			`<g transform="${l}">${Nn(e, t)}${Fn(e)}</g></g>`,
			In(e, a + 14),
			...u.map((e, t) => zn(e, a + 62 + t * En))
		].join(""),
		height: a + 62 + u.length * En
	};
}
function Mn({ image: e }, t, n) {
	let r = n ? " style=\"filter: grayscale(0.8)\"" : "";
	if (!e.original || !e.box || !e.original_size) return `<image href="${Vn(e.seen)}" width="${Z}" height="${t}" preserveAspectRatio="none"${r}/>`;
	let [i, a, o, s] = e.box, [c, l] = [Z / (o - i), t / (s - a)], u = `x="${-i * c}" y="${-a * l}" width="${e.original_size[1] * c}" height="${e.original_size[0] * l}"`;
	return `<image href="${Vn(e.original)}" ${u} preserveAspectRatio="none"${r}/>`;
}
function Nn(e, t) {
	let n = X(e), r = e.look.layout.grid;
	if (e.tinted.length > 0) return Pn(e);
	if (!n) return "";
	let i = t.smooth && !e.mask ? 4 : 1, { values: a, size: o } = i > 1 ? xn(n.values, r, i) : {
		values: n.values,
		size: r
	}, s = 1 / i, c = Array.from(a, (t, n) => {
		if (Number.isNaN(t) || e.mask && !e.mask.chosen[n]) return "";
		let [r, i] = [n % o[1] * s, Math.floor(n / o[1]) * s];
		return `<rect x="${r}" y="${i}" width="${s}" height="${s}" fill="${Bn(e, e.scale.position(t))}"/>`;
	});
	return `<g opacity="${t.opacity}" shape-rendering="crispEdges">${c.join("")}</g>`;
}
function Pn(e) {
	return dn(e.tinted, e.look.layout.grid[1]).map(({ x: e, y: t, width: n, colour: r, opacity: i }) => `<rect x="${e}" y="${t}" width="${n}" height="1" fill="${r}" fill-opacity="${i.toFixed(3)}"/>`).join("");
}
function Fn(e) {
	let t = e.look.layout.grid, n = (e, t) => `<g fill="none"><${e} stroke="#000000" stroke-width="4" vector-effect="non-scaling-stroke"/><${e} stroke="${t}" stroke-width="2" vector-effect="non-scaling-stroke"/></g>`, r = (t, r) => {
		let i = G(t, e.look);
		return i?.kind === "patch" ? n(`rect x="${i.column}" y="${i.row}" width="1" height="1"`, r) : "";
	};
	return e.tinted.length > 0 ? e.tinted.map(({ query: e, colour: t }) => r(e, t)).join("") : (e.mask ? n(`path d="${_n(e.mask.chosen, t)}"`, "#ffffff") : "") + r(e.query, "#ffffff");
}
function In(e, t) {
	if (!X(e) || e.tinted.length > 0) return "";
	let n = Z / kn, r = Array.from({ length: kn }, (r, i) => `<rect x="${i * n}" y="${t}" width="10.5" height="10" fill="${Bn(e, (i + .5) / kn)}"/>`), i = e.scale.ticks.map(({ position: e, label: n }) => {
		let r = e < .05 ? "start" : e > .95 ? "end" : "middle";
		return `<text x="${e * Z}" y="${t + 26}" text-anchor="${r}" font-size="12">${Vn(n)}</text>`;
	});
	return r.join("") + i.join("");
}
function Ln(e) {
	let { image: t, look: n, mask: r, tinted: i } = e, { patches: a } = Ot(n), o = rn(e), s = i.length === 0 && X(e) !== null;
	return [
		{ text: e.caption },
		{ text: r ? `Outlined: ${Xt(r, a)}.` : "" },
		...i.map(({ words: e, colour: t, mask: n, map: r }) => ({
			text: `${e}: ${Xt(n, a)}, at most ${H(r.maximum)}.`,
			colour: t
		})),
		{ text: s ? `Colours: ${e.scale.words}. ${o ? `${o}.` : ""}` : "" },
		{ text: `${t.name}. ${t.note ? `${t.note}. ` : ""}${n.label}, ${n.layout.description}; verified to ${n.verification_error.toExponential(0)}. vitscope.` }
	].flatMap(Rn);
}
function Rn({ text: e, ...t }) {
	let n = [];
	for (let r of e.match(On) ?? []) {
		let e = n.at(-1), i = `${e?.text} ${r}`;
		!e || i.length > Dn ? n.push({
			text: r,
			...e ? {} : t
		}) : e.text = i;
	}
	return n;
}
function zn({ text: e, colour: t }, n) {
	return `<text y="${n}" xml:space="preserve">${t ? `<tspan fill="${t}">■</tspan> ` : ""}${Vn(e)}</text>`;
}
function Bn(e, t) {
	let n = Be(e.colours), r = 3 * Ve(t);
	return `#${[...n.subarray(r, r + 3)].map((e) => e.toString(16).padStart(2, "0")).join("")}`;
}
function Vn(e) {
	return e.replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "").replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\"", "&quot;");
}
// src/export/download.ts
var Hn = 2;
function Un(e, t) {
	Zn(new Blob([An(e, t)], { type: "image/svg+xml" }), Xn(e, "svg"));
}
async function Wn(e, t) {
	let n = URL.createObjectURL(new Blob([An(e, t)], { type: "image/svg+xml" }));
	try {
		let t = new Image();
		t.src = n, await t.decode();
		let r = document.createElement("canvas");
		r.width = t.naturalWidth * Hn, r.height = t.naturalHeight * Hn, r.getContext("2d")?.drawImage(t, 0, 0, r.width, r.height);
		let i = await new Promise((e) => r.toBlob(e, "image/png"));
		if (!i) throw Error("this browser could not draw the picture; download the SVG instead");
		Zn(i, Xn(e, "png"));
	} finally {
		URL.revokeObjectURL(n);
	}
}
function Gn(e) {
	Zn(new Blob([Kn(e)], { type: "text/csv" }), Xn(e, "csv"));
}
function Kn(e) {
	return sn([
		"picture",
		"model",
		"map",
		"token",
		"row",
		"column",
		"weight",
		"times_uniform"
	], e.flatMap((e) => qn(e).flatMap(({ map: t, caption: n }) => Jn(e, t, n))));
}
function qn(e) {
	if (e.tinted.length > 0) return e.tinted;
	let t = X(e);
	return t ? [{
		map: t,
		caption: e.caption
	}] : [];
}
function Jn({ image: e, look: t }, n, r) {
	let i = t.layout.grid[1], a = (i, a, o) => [
		e.name,
		t.label,
		r,
		i,
		...a,
		Yn(o),
		Yn(o / n.uniform)
	];
	return [...an(n, t).map(({ name: e, weight: t }) => a(e, ["", ""], t)), ...Array.from(n.values, (e, t) => a("patch", [Math.floor(t / i), t % i], e)).filter((e, t) => !Number.isNaN(n.values[t]))];
}
function Yn(e) {
	return Number(e.toPrecision(7));
}
function Xn(e, t) {
	return `${[...(e[0]?.image.name ?? "").replace(/\.[a-z0-9]{1,5}$/i, "").replace(/[^\p{L}\p{N}._-]+/gu, "_").replace(/^\.+/, "")].slice(0, 60).join("") || "map"}-vitscope.${t}`;
}
function Zn(e, t) {
	let n = document.createElement("a");
	n.href = URL.createObjectURL(e), n.download = t, n.click(), setTimeout(() => URL.revokeObjectURL(n.href), 6e4);
}
// src/state/state.ts
function Qn(e) {
	let t = K(e), n = t.findIndex((e) => e.look === 1);
	return {
		shown: 0,
		compared: e.compare && t.length > 1 ? n > 0 ? n : 1 : null,
		difference: !1,
		layer: tr(e, 0),
		head: "mean",
		method: "row",
		direction: "from",
		locked: [],
		scale: "linear",
		ceiling: 10,
		colours: "viridis",
		smooth: !1,
		opacity: .7,
		mass: .6,
		start: 0,
		sort: "none",
		reversed: !1,
		isolated: !1,
		rescale: !1
	};
}
function $n(e, t, n) {
	if (e.locked.includes(t)) {
		let r = e.locked.filter((e) => e !== t);
		return { locked: n ? r : e.locked.length > 1 ? [t] : [] };
	}
	return n ? { locked: [...e.locked, t].slice(-5) } : { locked: [t] };
}
function er(e, t, n) {
	return {
		layer: t,
		head: n,
		method: e.method === "rollout" ? "row" : e.method
	};
}
function tr(e, t) {
	let { layers: n } = q(e, t), { attention: r } = J(e, t), i = n.map((e, t) => !!r[t]).lastIndexOf(!0);
	return i >= 0 ? i : n.length - 1;
}
// src/state/hash.ts
var nr = {
	shown: dr((e) => K(e).length),
	compared: {
		write: (e) => e === null ? "none" : String(e),
		read: (e, t) => e === "none" ? null : pr(e, K(t).length)
	},
	difference: lr(),
	layer: fr((e, t) => q(e, t.shown).layers.length),
	head: fr((e, t) => Math.max(...q(e, t.shown).layers.map((e) => e.heads))),
	method: cr([
		"row",
		"mask",
		"rollout"
	]),
	direction: cr(["from", "to"]),
	locked: {
		write: (e) => e.join(";"),
		read: (e, t, n) => {
			let r = e.split(";").filter((e) => G(e, q(t, n.shown)));
			return [...new Set(r)].slice(0, 5);
		}
	},
	scale: cr([
		"linear",
		"uniform",
		"logarithmic",
		"shared"
	]),
	ceiling: ur(1, 1e3),
	colours: cr(Le),
	smooth: lr(),
	opacity: ur(0, 1),
	mass: ur(.01, 1),
	start: dr((e, t) => q(e, t.shown).layers.length),
	sort: cr([
		"none",
		"distance",
		"entropy",
		"prefix"
	]),
	reversed: lr(),
	isolated: lr(),
	rescale: lr()
};
function rr(e, t) {
	let n = {
		...ar(t, e.shown),
		shown: Qn(t).shown
	}, r = Object.keys(nr).flatMap((t) => {
		let r = or(t, e);
		return r === or(t, n) ? [] : [`${t}=${encodeURIComponent(r).replaceAll("%2C", ",")}`];
	});
	return r.length > 0 ? `#${r.join("&")}` : "";
}
function ir(e, t) {
	let n = new URLSearchParams(e.replace(/^#/, "")), r = ar(t, nr.shown.read(n.get("shown") ?? "", t, Qn(t)) ?? Qn(t).shown);
	for (let e of Object.keys(nr)) {
		let i = n.get(e);
		i !== null && sr(r, e, nr[e].read(i, t, r));
	}
	let i = J(t, r.shown);
	return r.method === "rollout" && !i.rollout ? {
		...r,
		method: "row"
	} : r;
}
function ar(e, t) {
	return {
		...Qn(e),
		shown: t,
		layer: tr(e, t)
	};
}
function or(e, t) {
	return nr[e].write(t[e]);
}
function sr(e, t, n) {
	n !== void 0 && (e[t] = n);
}
function cr(e) {
	return {
		write: (e) => e,
		read: (t) => e.find((e) => e === t)
	};
}
function lr() {
	return {
		write: (e) => e ? "1" : "0",
		read: (e) => e === "1"
	};
}
function ur(e, t) {
	return {
		write: String,
		read: (n) => {
			let r = n.trim() === "" ? NaN : Number(n);
			return r >= e && r <= t ? r : void 0;
		}
	};
}
function dr(e) {
	return {
		write: String,
		read: (t, n, r) => pr(t, e(n, r))
	};
}
function fr(e) {
	return {
		write: String,
		read: (t, n, r) => t === "mean" ? "mean" : pr(t, e(n, r))
	};
}
function pr(e, t) {
	return /^\d{1,6}$/.test(e) && Number(e) < t ? Number(e) : void 0;
}
// src/engine/check.ts
function mr(e, t) {
	let n = J(e.payload, t).attention.flatMap((e) => e ? [e.error] : []), r = e.decoded(t).map((e) => e.selfCheck());
	return {
		python: Math.max(0, ...n),
		here: r.length > 0 ? Math.max(...r) : null,
		layers: r.length
	};
}
// node_modules/preact/jsx-runtime/dist/jsxRuntime.mjs
var hr = Symbol.for("pv"), gr = 0;
Array.isArray;
function Q(t, n, r, i, a, o) {
	n ||= {};
	var s, c, l = n;
	if ("ref" in l && typeof t != "function") for (c in l = {}, n) c == "ref" ? s = n[c] : l[c] = n[c];
	var u = {
		type: t,
		props: l,
		key: r,
		ref: s,
		__k: null,
		__: null,
		__b: 0,
		__e: null,
		__c: null,
		constructor: hr,
		__v: --gr,
		__i: -1,
		__u: 0
	};
	return (a || o) && (u.__source = a, u.__self = o), e.vnode && e.vnode(u), u;
}
// src/components/fields.tsx
function _r(e) {
	let t = Te();
	return /* @__PURE__ */ Q("fieldset", {
		class: "segmented",
		children: [/* @__PURE__ */ Q("legend", { children: e.legend }), /* @__PURE__ */ Q("div", {
			class: "segments",
			children: e.options.map(({ value: n, label: r, title: i, disabled: a }) => /* @__PURE__ */ Q("label", {
				title: i,
				class: a ? "disabled" : void 0,
				children: [/* @__PURE__ */ Q("input", {
					type: "radio",
					name: t,
					value: n,
					checked: e.value === n,
					disabled: a,
					onChange: () => e.onChange(n)
				}), /* @__PURE__ */ Q("span", { children: r })]
			}, n))
		})]
	});
}
function vr(e) {
	let t = Te();
	return /* @__PURE__ */ Q("div", {
		class: "field",
		children: [/* @__PURE__ */ Q("label", {
			for: t,
			children: e.label
		}), /* @__PURE__ */ Q("select", {
			id: t,
			value: e.value,
			onChange: (t) => e.onChange(t.currentTarget.value),
			children: e.options.map(({ value: e, label: t }) => /* @__PURE__ */ Q("option", {
				value: e,
				children: t
			}, e))
		})]
	});
}
function yr(e) {
	let t = Te();
	return /* @__PURE__ */ Q("div", {
		class: "field slider",
		children: [
			/* @__PURE__ */ Q("label", {
				for: t,
				children: e.label
			}),
			/* @__PURE__ */ Q("input", {
				id: t,
				type: "range",
				min: e.least,
				max: e.most,
				step: e.step,
				value: e.value,
				"aria-valuetext": e.words,
				onInput: (t) => e.onChange(t.currentTarget.valueAsNumber)
			}),
			/* @__PURE__ */ Q("output", {
				for: t,
				children: e.words
			})
		]
	});
}
function br(e) {
	return /* @__PURE__ */ Q("label", {
		class: `toggle ${e.disabled ? "disabled" : ""}`,
		title: e.title,
		children: [/* @__PURE__ */ Q("input", {
			type: "checkbox",
			checked: e.checked,
			disabled: e.disabled,
			onChange: (t) => e.onChange(t.currentTarget.checked)
		}), /* @__PURE__ */ Q("span", { children: e.label })]
	});
}
// src/components/Controls.tsx
var xr = [
	{
		value: "linear",
		label: "0 to the map’s maximum"
	},
	{
		value: "shared",
		label: "shared by the layer’s heads"
	},
	{
		value: "uniform",
		label: "times uniform"
	},
	{
		value: "logarithmic",
		label: "logarithmic"
	}
], Sr = [
	2,
	5,
	10,
	20,
	50,
	100
];
function Cr(e) {
	return /* @__PURE__ */ Q("section", {
		class: "controls",
		"aria-label": "What is shown",
		children: [/* @__PURE__ */ Q(wr, { ...e }), /* @__PURE__ */ Q(Tr, { ...e })]
	});
}
function wr({ look: e, image: t, state: n, query: r, update: i, lock: a }) {
	let o = n.method === "row" && n.head === "mean" ? "mean" : n.method, s = (e) => {
		i(e === "mean" ? {
			method: "row",
			head: "mean"
		} : {
			method: e,
			...e === "row" && n.head === "mean" ? { head: 0 } : {}
		});
	}, c = [
		{
			value: "row",
			label: "Attention row",
			title: "one head’s weights"
		},
		{
			value: "mean",
			label: "Mean over heads",
			title: "the mean of the layer’s heads"
		},
		{
			value: "mask",
			label: "Mask",
			title: "the smallest set of patches that holds the mass (Caron et al. 2021)"
		},
		{
			value: "rollout",
			label: "Rollout",
			title: t.rollout_absent ?? "what the readout draws on through all layers (Abnar & Zuidema 2020)",
			disabled: !t.rollout
		}
	], l = n.method === "rollout", u = r === "mean" || r === "pool";
	return /* @__PURE__ */ Q("div", {
		class: "control-row",
		children: [
			/* @__PURE__ */ Q("div", {
				class: "named",
				role: "group",
				"aria-label": "Query",
				"data-tour": "queries",
				children: [/* @__PURE__ */ Q("span", {
					class: "group-name",
					children: "Query"
				}), bt(e).map((e) => /* @__PURE__ */ Q("button", {
					type: "button",
					title: l ? "the rollout starts from the model’s readout" : e.title,
					disabled: l,
					"aria-pressed": !l && r === e.query,
					onClick: (t) => a(e.query, t.shiftKey),
					children: e.label
				}, e.query))]
			}),
			/* @__PURE__ */ Q(_r, {
				legend: "Direction",
				value: n.direction,
				options: [{
					value: "from",
					label: "attends to",
					title: "what this query attends to",
					disabled: l
				}, {
					value: "to",
					label: "attended by",
					title: u ? "nothing attends to a mean: choose a patch or a prefix token" : "who attends to it",
					disabled: l || u && n.direction === "from"
				}],
				onChange: (e) => i({ direction: e })
			}),
			/* @__PURE__ */ Q("div", {
				"data-tour": "method",
				children: /* @__PURE__ */ Q(_r, {
					legend: "Method",
					value: o,
					options: c,
					onChange: s
				})
			}),
			(n.method === "mask" || n.locked.length > 1) && /* @__PURE__ */ Q(yr, {
				label: "Mass",
				least: .05,
				most: 1,
				step: .05,
				value: n.mass,
				words: H(n.mass),
				onChange: (e) => i({ mass: e })
			}),
			n.method === "rollout" && /* @__PURE__ */ Q(yr, {
				label: "From layer",
				least: 0,
				most: e.layers.length - 1,
				step: 1,
				value: n.start,
				words: String(n.start),
				onChange: (e) => i({ start: e })
			})
		]
	});
}
function Tr({ state: e, update: t }) {
	return /* @__PURE__ */ Q("div", {
		class: "control-row",
		"data-tour": "scale",
		children: [
			/* @__PURE__ */ Q(vr, {
				label: "Scale",
				value: e.scale,
				options: xr,
				onChange: (e) => t({ scale: e })
			}),
			e.scale === "uniform" && /* @__PURE__ */ Q(vr, {
				label: "up to",
				value: String(e.ceiling),
				options: Sr.map((e) => ({
					value: String(e),
					label: `${e}×`
				})),
				onChange: (e) => t({ ceiling: Number(e) })
			}),
			/* @__PURE__ */ Q(vr, {
				label: "Colours",
				value: e.colours,
				options: Le.map((e) => ({
					value: e,
					label: e
				})),
				onChange: (e) => t({ colours: e })
			}),
			/* @__PURE__ */ Q(yr, {
				label: "Opacity",
				least: 0,
				most: 1,
				step: .05,
				value: e.opacity,
				words: `${Math.round(100 * e.opacity)} %`,
				onChange: (e) => t({ opacity: e })
			}),
			/* @__PURE__ */ Q(br, {
				label: "Smooth",
				title: "interpolate between patch centres; the numbers stay those of the patches",
				checked: e.smooth,
				onChange: (e) => t({ smooth: e })
			})
		]
	});
}
// src/state/pictures.ts
function Er(e, t, n, r) {
	let i = Dr(e, t, n);
	if (t.compared === null) return {
		shown: n,
		...i
	};
	if (r) return { compared: n };
	let a = K(e)[t.compared]?.look ?? 0;
	return {
		shown: n,
		compared: (a === (K(e)[n]?.look ?? 0) ? t.compared : kt(e, n, a)) ?? t.compared,
		...i
	};
}
function Dr(e, t, n) {
	let [r, i] = [q(e, t.shown), q(e, n)];
	if (r === i) return {};
	let a = Math.max(...i.layers.map((e) => e.heads));
	return {
		layer: t.layer === "mean" ? "mean" : Math.min(t.layer, i.layers.length - 1),
		head: t.head === "mean" ? "mean" : Math.min(t.head, a - 1),
		start: Math.min(t.start, i.layers.length - 1),
		locked: []
	};
}
function Or(e, t) {
	let n = K(e);
	return kt(e, t, ((n[t]?.look ?? 0) + 1) % e.looks.length) ?? (t + 1) % n.length;
}
// src/components/Picture.tsx
function kr({ image: e }) {
	let t = Ar(e);
	return /* @__PURE__ */ Q("div", {
		class: "picture",
		children: t && e.original ? /* @__PURE__ */ Q("img", {
			src: e.original,
			alt: "",
			draggable: !1,
			style: t
		}) : /* @__PURE__ */ Q("img", {
			src: e.seen,
			alt: "",
			draggable: !1,
			style: {
				left: "0",
				top: "0",
				width: "100%",
				height: "100%"
			}
		})
	});
}
function Ar(e) {
	if (!e.box || !e.original_size) return null;
	let [t, n, r, i] = e.box, [a, o] = e.original_size, s = (e, t) => `${100 * e / t}%`;
	return {
		left: s(-t, r - t),
		top: s(-n, i - n),
		width: s(o, r - t),
		height: s(a, i - n)
	};
}
// src/components/Filmstrip.tsx
function jr({ payload: e, state: t, update: n }) {
	let [r, i] = R(!1), a = K(e);
	if (a.length < 2) return null;
	let o = (i, a) => n(Er(e, t, i, a || r));
	return /* @__PURE__ */ Q("section", {
		class: "filmstrip",
		"aria-label": "Pictures",
		children: [/* @__PURE__ */ Q("div", {
			class: "filmstrip-head",
			children: [
				/* @__PURE__ */ Q(br, {
					label: "Side by side",
					checked: t.compared !== null,
					onChange: (r) => n(r ? { compared: Or(e, t.shown) } : {
						compared: null,
						difference: !1
					})
				}),
				t.compared !== null && /* @__PURE__ */ Q(br, {
					label: "B shows the difference, B − A",
					checked: t.difference,
					onChange: (e) => n({ difference: e })
				}),
				t.compared !== null && /* @__PURE__ */ Q(br, {
					label: "Clicks choose B",
					checked: r,
					onChange: i
				})
			]
		}), /* @__PURE__ */ Q("ul", { children: a.map((n, r) => {
			let i = J(e, r), a = r === t.shown ? "A" : r === t.compared ? "B" : "", s = `${i.name}, ${q(e, r).label}`;
			return /* @__PURE__ */ Q("li", { children: /* @__PURE__ */ Q("button", {
				type: "button",
				"aria-pressed": a !== "",
				"aria-label": a && t.compared !== null ? `${s} (picture ${a})` : s,
				title: s,
				onClick: (e) => o(r, e.shiftKey),
				children: [
					/* @__PURE__ */ Q("span", {
						class: "frame",
						style: { aspectRatio: `${i.input_size[1]} / ${i.input_size[0]}` },
						children: /* @__PURE__ */ Q(kr, { image: i })
					}),
					/* @__PURE__ */ Q("span", {
						class: "name",
						children: i.name
					}),
					t.compared !== null && a && /* @__PURE__ */ Q("span", {
						class: "letter",
						children: a
					})
				]
			}) }, r);
		}) })]
	});
}
// src/components/Header.tsx
function Mr(e) {
	return /* @__PURE__ */ Q("header", { children: [
		/* @__PURE__ */ Q("h1", { children: e.title }),
		/* @__PURE__ */ Q("p", {
			class: "summary faint",
			title: e.summary,
			children: e.summary
		}),
		/* @__PURE__ */ Q("div", {
			class: "actions",
			children: e.actions.map(({ label: e, title: t, run: n }) => /* @__PURE__ */ Q("button", {
				type: "button",
				title: t,
				onClick: () => void n(),
				children: e
			}, e))
		})
	] });
}
// src/engine/statistics.ts
function Nr(e, t, n, r) {
	let i = q(e.payload, t), a = J(e.payload, t), { prefix: o, tokens: s } = Ot(i);
	if (n === "distance") {
		let n = Ir(e, r ? a.rescaled_distance : a.distance, t), o = r ? i.uniform_rescaled_distance : i.uniform_distance, s = r ? i.conventions.rescaled_distance : i.conventions.distance;
		return n && {
			values: n,
			baseline: o,
			convention: s
		};
	}
	if (n === "entropy") {
		let n = Ir(e, a.entropy, t);
		return n && {
			values: n,
			baseline: Math.log(s),
			convention: i.conventions.entropy
		};
	}
	if (o === 0) return null;
	let c = Ir(e, a.prefix_mass, t);
	return c && {
		values: c,
		baseline: o / s,
		convention: `${i.conventions.prefix_mass}, summed over them`
	};
}
function Pr(e, t) {
	let n = q(e.payload, t.shown).layers.flatMap(({ heads: e }, t) => Array.from({ length: e }, (e, n) => ({
		layer: t,
		head: n
	}))), r = Fr(e, t);
	if (!r) return n;
	let i = ({ layer: e, head: t }) => r.values[e]?.[t] ?? NaN, a = n.filter((e) => !Number.isNaN(i(e))), o = t.sort === "prefix" === t.reversed ? 1 : -1;
	return a.sort((e, t) => o * (i(e) - i(t))), [...a, ...n.filter((e) => Number.isNaN(i(e)))];
}
function Fr(e, t) {
	return t.sort === "none" ? null : Nr(e, t.shown, t.sort, t.rescale);
}
function Ir(e, t, n) {
	if (!t) return null;
	let r = e.numbers(t), [i = 0, a = 0, o = 1] = t.shape, s = (e) => r.subarray(e * o, (e + 1) * o).reduce((e, t) => e + t, 0);
	return Array.from({ length: i }, (t, r) => Array.from({ length: q(e.payload, n).layers[r]?.heads ?? a }, (e, t) => s(r * a + t)));
}
// src/components/MapCanvas.tsx
var Lr = 8;
function Rr({ pane: e, smoothed: t }) {
	let n = B(null);
	return Ce(() => {
		n.current && zr(n.current, e, t);
	}), /* @__PURE__ */ Q("canvas", {
		ref: n,
		class: `map ${t ? "smooth" : ""}`,
		"aria-hidden": "true"
	});
}
function zr(e, t, n) {
	let r = X(t), i = t.look.layout.grid;
	if (!r || t.tinted.length > 0) return Vr(e);
	let a = t.mask, o = n && !a ? xn(r.values, i, Lr) : {
		values: r.values,
		size: i
	}, s = a ? (e) => +!!a.chosen[e] : void 0;
	Br(e, o.values, o.size, (e) => t.scale.position(e), Be(t.colours), s);
}
function Br(e, t, [n, r], i, a, o) {
	(e.width !== r || e.height !== n) && (e.width = r, e.height = n);
	let s = e.getContext("2d");
	if (!s) return;
	let c = s.createImageData(r, n);
	He(t, i, a, c.data, o), s.putImageData(c, 0, 0);
}
function Vr(e) {
	e.getContext("2d")?.clearRect(0, 0, e.width, e.height);
}
// src/components/thumbnails.ts
var Hr = 5;
function Ur(e, t, n) {
	let { gallery: r, state: i, query: a, revision: o } = t, { shown: s, direction: c, method: l, mass: u, scale: d, ceiling: f, colours: p, isolated: m, sort: h } = i;
	z(() => {
		let r = [...new Set(n.map((e) => e.layer))], a = r.indexOf(i.layer);
		a > 0 && r.unshift(...r.splice(a, 1));
		let o = r.map((n) => () => Wr(e.current, t, n)), s = requestAnimationFrame(function e() {
			let t = performance.now();
			for (; o.length > 0 && performance.now() - t < Hr;) o.shift()?.();
			o.length > 0 && (s = requestAnimationFrame(e));
		});
		return () => cancelAnimationFrame(s);
	}, [
		r,
		o,
		a,
		n,
		s,
		c,
		l,
		u,
		d,
		f,
		p,
		m,
		h
	]);
}
function Wr(e, { gallery: t, state: n, query: r }, i) {
	let a = q(t.payload, n.shown), o = Array.from({ length: a.layers[i]?.heads ?? 0 }, (e, t) => t), s = {
		view: n.shown,
		layer: i,
		head: 0,
		query: r,
		direction: n.direction
	}, c = o.map((e) => jt(t, {
		...s,
		head: e
	})), l = c.reduce((e, t) => Math.max(e, Y(t) ? t.maximum : 0), 0);
	for (let t of o) {
		let r = e?.querySelector(`[data-head="${i}·${t}"] canvas`), o = c[t];
		if (!r || (r.hidden = !Y(o), !Y(o))) continue;
		let s = Gt(n, o, l), u = n.method === "mask" ? lt(o.values, n.mass).chosen : null, d = u ? (e) => +!!u[e] : void 0;
		Br(r, o.values, a.layout.grid, (e) => s.position(e), Be(n.colours), d);
	}
}
// src/components/HeadGrid.tsx
var Gr = 420, Kr = [
	{
		value: "none",
		label: "layer and head"
	},
	{
		value: "distance",
		label: "mean distance"
	},
	{
		value: "entropy",
		label: "entropy"
	},
	{
		value: "prefix",
		label: "mass on prefix tokens"
	}
];
function qr(e) {
	let { gallery: t, state: n, update: r } = e, i = B(null), a = q(t.payload, n.shown), o = V(() => Pr(t, n), [
		t,
		n.shown,
		n.sort,
		n.reversed,
		n.rescale
	]);
	Ur(i, e, o);
	let s = a.layout.prefix.length > 0 ? Kr : Kr.filter(({ value: e }) => e !== "prefix"), c = V(() => /* @__PURE__ */ Q(Jr, {
		gallery: t,
		state: n,
		order: o,
		update: r
	}), [
		t,
		o,
		n.layer,
		n.head,
		n.isolated,
		n.shown,
		n.method,
		r
	]);
	return /* @__PURE__ */ Q("section", {
		class: "heads",
		"aria-label": "Layers and heads",
		"data-tour": "heads",
		children: [
			/* @__PURE__ */ Q("div", {
				class: "heads-head",
				children: [
					/* @__PURE__ */ Q("h2", { children: ["Layers × heads ", n.compared !== null && /* @__PURE__ */ Q("span", {
						class: "letter",
						children: "A"
					})] }),
					/* @__PURE__ */ Q(vr, {
						label: "Order",
						value: n.sort,
						options: s,
						onChange: (e) => r({ sort: e })
					}),
					n.sort !== "none" && /* @__PURE__ */ Q(br, {
						label: "reversed",
						checked: n.reversed,
						onChange: (e) => r({ reversed: e })
					}),
					typeof n.layer == "number" && typeof n.head == "number" && /* @__PURE__ */ Q("button", {
						type: "button",
						onClick: () => r({ isolated: !n.isolated }),
						children: n.isolated ? "Show all heads" : "Isolate head"
					})
				]
			}),
			/* @__PURE__ */ Q("div", {
				ref: i,
				onKeyDown: (e) => $r(e, i.current),
				children: c
			}),
			/* @__PURE__ */ Q("p", {
				class: "faint note",
				children: ti(n)
			}),
			a.omitted && /* @__PURE__ */ Q("p", {
				class: "note omitted",
				children: a.omitted
			})
		]
	});
}
function Jr(e) {
	let { gallery: t, state: n, order: r, update: i } = e, a = q(t.payload, n.shown), o = Math.max(...a.layers.map((e) => e.heads)), s = Fr(t, n), c = s !== null || n.isolated, l = Xr(n, r, c), u = r.map((e) => /* @__PURE__ */ Q(Yr, {
		place: e,
		reachable: l === `${e.layer} ${e.head}`,
		state: n,
		value: s ? ei(n.sort, s.values[e.layer]?.[e.head]) : null,
		absent: a.layers[e.layer]?.refusal ?? a.layers[e.layer]?.absent ?? null,
		update: i
	}, `${e.layer}·${e.head}`)), d = Zr(a, o);
	if (c) return /* @__PURE__ */ Q("div", {
		class: `head-grid ${n.isolated ? "isolated" : "sorted"}`,
		role: "group",
		"aria-label": "Heads",
		style: d,
		children: n.isolated ? u.filter((e, t) => Qr(n, r[t])) : u
	});
	let f = (e, t, r, a) => /* @__PURE__ */ Q("button", {
		type: "button",
		class: "axis",
		tabIndex: l === `${e} ${t}` ? 0 : -1,
		title: a,
		"aria-pressed": n.method !== "rollout" && n.layer === e && n.head === t,
		onClick: () => i({
			...er(n, e, t),
			isolated: !1
		}),
		children: r
	}, `${e} ${t}`), p = Array.from({ length: o }, (e, t) => f("mean", t, `${t}`, `head ${t}, mean over layers`));
	return /* @__PURE__ */ Q("div", {
		class: "head-grid",
		role: "group",
		"aria-label": "Heads by layer",
		style: d,
		children: [
			f("mean", "mean", "mean", "mean over all layers and heads"),
			p,
			a.layers.flatMap((e, t) => [
				f(t, "mean", `L${t}`, `layer ${t} (${e.name}), mean over heads`),
				...u.filter((e, n) => r[n]?.layer === t),
				...Array.from({ length: o - e.heads }, (e, n) => /* @__PURE__ */ Q("span", {}, `gap ${t} ${n}`))
			])
		]
	});
}
function Yr(e) {
	let { place: t, state: n, value: r, absent: i, update: a } = e, o = `layer ${t.layer}, head ${t.head}${r ? `, ${r}` : ""}`, s = Qr(n, t);
	return /* @__PURE__ */ Q("button", {
		type: "button",
		class: `thumbnail ${i ? "absent" : ""}`,
		"data-head": `${t.layer}·${t.head}`,
		"aria-pressed": s,
		"aria-label": i ? `${o}: ${i}` : o,
		title: i ? `${o}: ${i}` : `${o} · double-click to isolate`,
		tabIndex: e.reachable ? 0 : -1,
		onClick: () => a(er(n, t.layer, t.head)),
		onDblClick: () => a({
			...er(n, t.layer, t.head),
			isolated: !n.isolated
		}),
		children: [/* @__PURE__ */ Q("canvas", { "aria-hidden": "true" }), (r !== null || n.isolated) && /* @__PURE__ */ Q("span", {
			class: "tag",
			children: [
				"L",
				t.layer,
				" H",
				t.head,
				r !== null && /* @__PURE__ */ Q("small", { children: r })
			]
		})]
	});
}
function Xr(e, t, n) {
	if (!n && (e.layer === "mean" || e.head === "mean")) return `${e.layer} ${e.head}`;
	let r = t.find((t) => Qr(e, t)) ?? t[0];
	return r ? `${r.layer} ${r.head}` : "";
}
function Zr(e, t) {
	let n = e.layout.grid[1] / e.layout.grid[0], r = Math.min(64, Gr / e.layers.length - 2);
	return {
		"--columns": t,
		"--aspect": n,
		"--size": `${Math.max(16, r * n)}px`
	};
}
function Qr(e, t) {
	if (!t || e.method === "rollout") return !1;
	let n = (e, t) => e === "mean" || e === t;
	return n(e.layer, t.layer) && n(e.head, t.head);
}
function $r(e, t) {
	let n = {
		ArrowUp: [0, -1],
		ArrowDown: [0, 1],
		ArrowLeft: [-1, 0],
		ArrowRight: [1, 0]
	}[e.key], r = document.activeElement?.getBoundingClientRect();
	if (!n || !t || !r || !t.contains(e.target)) return;
	e.preventDefault(), e.stopPropagation();
	let i = (e) => {
		let [t, i] = [e.x - r.x, e.y - r.y], [a, o] = n[0] ? [t * n[0], Math.abs(i)] : [i * n[1], Math.abs(e.x + e.width / 2 - r.x - r.width / 2)];
		return a > 1 ? a + 4 * o : Infinity;
	}, a = [...t.querySelectorAll("button")].map((e) => ({
		button: e,
		at: i(e.getBoundingClientRect())
	})).reduce((e, t) => t.at < e.at ? t : e);
	a.at < Infinity && a.button.focus();
}
function ei(e, t) {
	return t === void 0 || Number.isNaN(t) ? null : e === "distance" ? qe(t) : e === "entropy" ? `${t.toFixed(2)} nats` : H(t);
}
function ti(e) {
	return `Thumbnails: ${{
		linear: "each from 0 to its own maximum",
		shared: "each layer’s from 0 to the largest weight in any of its heads",
		uniform: `all from 0 to ${e.ceiling} times uniform`,
		logarithmic: "each over three decades below its own maximum"
	}[e.scale]}. Choose a header for the mean, double-click a head to isolate it.`;
}
// src/numbers/read.ts
var ni = {
	int16: 2,
	float16: 2,
	float32: 4
};
function ri(e, t) {
	let n = ii(e.shape);
	return ai(e, n, t.byteLength), oi[e.dtype](t, e.offset, n);
}
function ii(e) {
	return e.reduce((e, t) => e * t, 1);
}
function ai({ block: e, offset: t, dtype: n, shape: r }, i, a) {
	let o = ni[n];
	if (o === void 0) throw Error(`block ${e}: found numbers of type "${n}", expected int16, float16 or float32`);
	if (t < 0 || t + i * o > a) throw Error(`block ${e}: (${r.join(", ")}) ${n} from byte ${t} need ${t + i * o} bytes, found ${a}; the page is cut short, make it again`);
}
var oi = {
	int16: si,
	float16: li,
	float32: ci
};
function si(e, t, n) {
	let r = t % 2 == 0 ? new Int16Array(e, t, n) : new Int16Array(e.slice(t, t + 2 * n));
	return Float32Array.from(r);
}
function ci(e, t, n) {
	return t % 4 == 0 ? new Float32Array(e, t, n) : new Float32Array(e.slice(t, t + 4 * n));
}
function li(e, t, n) {
	let r = t % 2 == 0 ? new Uint16Array(e, t, n) : new Uint16Array(e.slice(t, t + 2 * n)), i = di(), a = new Float32Array(n);
	for (let e = 0; e < n; e++) a[e] = i[r[e]];
	return a;
}
var ui = null;
function di() {
	return ui ??= Float32Array.from({ length: 65536 }, (e, t) => fi(t)), ui;
}
function fi(e) {
	let t = e & 32768 ? -1 : 1, n = e >> 10 & 31, r = e & 1023;
	return n === 0 ? t * r * 2 ** -24 : n === 31 ? r ? NaN : t * Infinity : t * (1 + r / 1024) * 2 ** (n - 15);
}
// src/attention/size.ts
function pi(e, t) {
	let { grid: n, prefix: r } = t;
	return {
		heads: e.mean_row.shape[0] ?? 0,
		grid: n,
		prefix: r.length,
		tokens: r.length + n[0] * n[1]
	};
}
function $(e, t, ...n) {
	if (t.length === n.length && n.every((e, n) => e.includes(t[n]))) return;
	let r = n.map((e) => [...new Set(e)].join(" or ")).join(", ");
	throw Error(`${e}: found shape (${t.join(", ")}), expected (${r}); make the page again`);
}
// src/attention/bias.ts
function mi(e, t, n) {
	return e.form === "dense" ? new hi(e, t, n) : new gi(e, t, n);
}
var hi = class {
	term;
	headStride;
	queryStride;
	constructor(e, t, n) {
		let { tokens: r, heads: i } = t;
		$("dense bias", e.term.shape, [1, i], [1, r], [r]);
		let [a, o] = e.term.shape;
		this.term = n(e.term), this.queryStride = o === 1 ? 0 : r, this.headStride = a === 1 ? 0 : o * r;
	}
	addRow(e, t, n) {
		let r = e * this.headStride + t * this.queryStride;
		for (let e = 0; e < n.length; e++) n[e] += this.term[r + e];
	}
	addColumn(e, t, n) {
		let r = e * this.headStride + t;
		for (let e = 0; e < n.length; e++, r += this.queryStride) n[e] += this.term[r];
	}
}, gi = class {
	size;
	table;
	fromPrefix;
	toPrefix;
	tableHead;
	fromHead;
	toHead;
	constructor(e, t, n) {
		this.size = t;
		let { heads: r, prefix: i, tokens: a, grid: o } = t, [s, c] = [2 * o[0] - 1, 2 * o[1] - 1];
		$("relative bias, table", e.table.shape, [1, r], [s], [c]), $("relative bias, from_prefix", e.from_prefix.shape, [1, r], [i], [a]), $("relative bias, to_prefix", e.to_prefix.shape, [1, r], [a - i], [i]), this.table = n(e.table), this.fromPrefix = n(e.from_prefix), this.toPrefix = n(e.to_prefix), this.tableHead = e.table.shape[0] === 1 ? 0 : s * c, this.fromHead = e.from_prefix.shape[0] === 1 ? 0 : i * a, this.toHead = e.to_prefix.shape[0] === 1 ? 0 : (a - i) * i;
	}
	addRow(e, t, n) {
		let { prefix: r, tokens: i } = this.size;
		if (t < r) {
			let r = e * this.fromHead + t * i;
			for (let e = 0; e < i; e++) n[e] += this.fromPrefix[r + e];
			return;
		}
		let a = e * this.toHead + (t - r) * r;
		for (let e = 0; e < r; e++) n[e] += this.toPrefix[a + e];
		this.addOffsets(e, t - r, 1, n);
	}
	addColumn(e, t, n) {
		let { prefix: r, tokens: i } = this.size, a = e * this.fromHead + t;
		for (let e = 0; e < r; e++) n[e] += this.fromPrefix[a + e * i];
		if (t < r) {
			let a = e * this.toHead + t;
			for (let e = 0; e < i - r; e++) n[r + e] += this.toPrefix[a + e * r];
		} else this.addOffsets(e, t - r, -1, n);
	}
	addOffsets(e, t, n, r) {
		let [i, a] = this.size.grid, o = 2 * a - 1, [s, c] = [Math.floor(t / a), t % a], l = this.size.prefix;
		for (let t = 0; t < i; t++) {
			let u = i - 1 + n * (t - s), d = e * this.tableHead + u * o + a - 1 - n * c;
			for (let e = 0; e < a; e++, d += n) r[l++] += this.table[d];
		}
	}
}, _i = class {
	queries;
	keys;
	keyBias;
	logNormaliser;
	bias;
	dim;
	tokens;
	logits;
	constructor(e, t, n) {
		let { heads: r, tokens: i } = t;
		this.dim = e.queries.shape[2] ?? 0, this.tokens = i, $("queries", e.queries.shape, [r], [i], [this.dim]), $("keys", e.keys.shape, [r], [i], [this.dim]), $("key_bias", e.key_bias.shape, [r], [i]), $("log_normaliser", e.log_normaliser.shape, [r], [i]), this.keys = n(e.keys), this.queries = n(e.queries), e.steps && ($("steps", e.steps.shape, [r], [this.dim]), this.queries = vi(this.queries, n(e.steps), t, this.dim)), this.keyBias = n(e.key_bias).slice(), this.logNormaliser = n(e.log_normaliser).slice(), this.bias = e.bias && mi(e.bias, t, n), this.logits = new Float64Array(i);
	}
	row(e, t, n) {
		let { logits: r, tokens: i, dim: a, keyBias: o } = this, s = e * i;
		yi(this.queries, (s + t) * a, this.keys, s * a, a, r);
		for (let e = 0; e < i; e++) r[e] += o[s + e];
		this.bias?.addRow(e, t, r), bi(r, n);
	}
	column(e, t, n) {
		let { logits: r, tokens: i, dim: a, logNormaliser: o } = this, s = e * i;
		yi(this.keys, (s + t) * a, this.queries, s * a, a, r), this.bias?.addColumn(e, t, r);
		let c = this.keyBias[s + t];
		for (let e = 0; e < i; e++) n[e] = Math.exp(r[e] + c - o[s + e]);
	}
};
function vi(e, t, { heads: n, tokens: r }, i) {
	let a = new Float32Array(e.length);
	for (let o = 0; o < n; o++) for (let n = 0; n < r; n++) {
		let s = (o * r + n) * i;
		for (let n = 0; n < i; n++) a[s + n] = e[s + n] * t[o * i + n];
	}
	return a;
}
function yi(e, t, n, r, i, a) {
	let o = e.subarray(t, t + i), s = i - i % 4, c = r;
	for (let e = 0; e < a.length; e++) {
		let t = 0, r = 0, l = 0, u = 0, d = 0;
		for (; d < s; d += 4, c += 4) t += o[d] * n[c], r += o[d + 1] * n[c + 1], l += o[d + 2] * n[c + 2], u += o[d + 3] * n[c + 3];
		for (; d < i; d++, c++) t += o[d] * n[c];
		a[e] = t + r + (l + u);
	}
}
function bi(e, t) {
	let n = -Infinity;
	for (let t = 0; t < e.length; t++) e[t] > n && (n = e[t]);
	let r = 0;
	for (let t = 0; t < e.length; t++) r += e[t] = Math.exp(e[t] - n);
	for (let n = 0; n < e.length; n++) t[n] = e[n] / r;
}
// src/attention/weights.ts
var xi = class {
	weights;
	tokens;
	constructor(e, t, n) {
		this.tokens = t.tokens, $("weights", e.weights.shape, [t.heads], [t.tokens], [t.tokens]), this.weights = n(e.weights);
	}
	row(e, t, n) {
		let r = (e * this.tokens + t) * this.tokens;
		n.set(this.weights.subarray(r, r + this.tokens));
	}
	column(e, t, n) {
		let r = e * this.tokens * this.tokens + t;
		for (let e = 0; e < this.tokens; e++, r += this.tokens) n[e] = this.weights[r];
	}
};
// src/attention/layer.ts
async function Si(e, t, n) {
	let r = await wi(Ci(e), n);
	return new Ti(e, pi(e, t), (e) => ri(e, r.get(e.block)));
}
function Ci(e) {
	let t = [e.mean_row, e.probe.row];
	if (e.form === "weights") return [...t, e.weights];
	let { queries: n, keys: r, key_bias: i, log_normaliser: a, bias: o } = e, s = o ? o.form === "dense" ? [o.term] : [
		o.table,
		o.from_prefix,
		o.to_prefix
	] : [];
	return [
		...t,
		n,
		r,
		i,
		a,
		...s
	];
}
async function wi(e, t) {
	let n = [...new Set(e.map(({ block: e }) => e))];
	return new Map(await Promise.all(n.map(async (e) => [e, await t.bytes(e)])));
}
var Ti = class {
	heads;
	tokens;
	error;
	rows;
	means;
	probe;
	checked = null;
	constructor(e, t, n) {
		let { heads: r, tokens: i } = t;
		$("mean_row", e.mean_row.shape, [r], [i]), $("probe", e.probe.row.shape, [i]), this.heads = r, this.tokens = i, this.error = e.error, this.rows = e.form === "product" ? new _i(e, t, n) : new xi(e, t, n), this.means = n(e.mean_row).slice(), this.probe = {
			...e.probe,
			row: n(e.probe.row).slice()
		};
	}
	row(e, t, n) {
		return this.check(e, t, "query", n), this.rows.row(e, t, n), n;
	}
	column(e, t, n) {
		return this.check(e, t, "key", n), this.rows.column(e, t, n), n;
	}
	meanRow(e) {
		return Ei(e, this.heads, "head"), this.means.subarray(e * this.tokens, (e + 1) * this.tokens);
	}
	selfCheck() {
		return this.checked ??= this.compareProbe(), this.checked;
	}
	compareProbe() {
		let { head: e, query: t, row: n } = this.probe, r = this.row(e, t, new Float32Array(this.tokens)), [i, a] = [0, 0];
		for (let e = 0; e < this.tokens; e++) i = Math.max(i, Math.abs(r[e] - n[e])), a = Math.max(a, n[e]);
		return i / a;
	}
	check(e, t, n, r) {
		if (Ei(e, this.heads, "head"), Ei(t, this.tokens, n), r.length !== this.tokens) throw RangeError(`found an array of ${r.length} to write ${this.tokens} weights to`);
	}
};
function Ei(e, t, n) {
	if (!(Number.isInteger(e) && e >= 0 && e < t)) throw RangeError(`${n} ${e} does not exist: there are ${t}, from 0`);
}
// src/engine/gallery.ts
var Di = { kind: "pending" }, Oi = class {
	payload;
	source;
	changed;
	views = /* @__PURE__ */ new Map();
	small = /* @__PURE__ */ new Map();
	asked = /* @__PURE__ */ new Map();
	smallBytes = null;
	constructor(e, t, n) {
		this.payload = e, this.source = t, this.changed = n;
	}
	async open() {
		this.smallBytes = await this.source.bytes(0);
	}
	numbers(e) {
		let t = this.small.get(e);
		if (t) return t;
		if (!this.smallBytes) throw Error("the gallery was asked before it was open");
		let n = ri(e, this.smallBytes);
		return this.small.set(e, n), n;
	}
	layer(e, t) {
		let n = this.layersOf(e), r = n.get(t);
		if (r) return r;
		let i = this.describe(e, t);
		return n.set(t, i), i.kind === "pending" && this.decode(e, t, n), i;
	}
	decoded(e) {
		return [...this.views.get(e)?.values() ?? []].flatMap((e) => e.kind === "ready" ? [e.layer] : []);
	}
	async prepare(e) {
		let { layers: t } = q(this.payload, e);
		this.layersOf(e);
		for (let n = t.length - 1; n >= 0; n--) if (!this.views.get(e)?.has(n)) {
			if (await ki(), !this.views.has(e)) return;
			this.layer(e, n);
		}
	}
	layersOf(e) {
		let t = this.views.get(e) ?? /* @__PURE__ */ new Map();
		this.views.delete(e), this.views.set(e, t);
		for (let e of [...this.views.keys()].slice(0, -4)) this.views.delete(e);
		return t;
	}
	describe(e, t) {
		let n = q(this.payload, e).layers[t], r = n ? n.refusal ?? n.absent : "no such layer";
		return r === null ? J(this.payload, e).attention[t] ? Di : {
			kind: "absent",
			absent: "not in this page"
		} : {
			kind: "absent",
			absent: r
		};
	}
	async decode(e, t, n) {
		let r = J(this.payload, e).attention[t];
		if (r) {
			try {
				let i = await Si(r, q(this.payload, e).layout, { bytes: (e) => this.fetch(e) });
				n.set(t, {
					kind: "ready",
					layer: i
				});
			} catch (e) {
				n.set(t, {
					kind: "absent",
					absent: e instanceof Error ? e.message : String(e)
				});
			}
			this.changed();
		}
	}
	fetch(e) {
		if (e === 0 && this.smallBytes) return Promise.resolve(this.smallBytes);
		let t = this.asked.get(e) ?? this.source.bytes(e).finally(() => this.asked.delete(e));
		return this.asked.set(e, t), t;
	}
};
function ki() {
	return new Promise((e) => setTimeout(e, 0));
}
// src/components/hooks.ts
var Ai = 6e3, ji = 150;
function Mi(e, t) {
	let [n, r] = R(null), [i, a] = R(0), [o, s] = R("");
	return z(() => {
		let n = new Oi(e, t, () => a((e) => e + 1));
		n.open().then(() => r(n), (e) => s(e instanceof Error ? e.message : String(e)));
	}, [e, t]), {
		gallery: n,
		revision: i,
		failure: o
	};
}
function Ni(e, t, n, r) {
	let i = B(e?.read());
	z(() => {
		let r = setTimeout(() => {
			e && e.read() === i.current && (e.write(rr(t, n)), i.current = e.read());
		}, ji);
		return () => clearTimeout(r);
	}, [
		e,
		t,
		n
	]), z(() => {
		if (!e) return;
		let t = () => {
			i.current = e.read(), r((t) => e.read() === rr(t, n) ? t : ir(e.read(), n));
		};
		return addEventListener("hashchange", t), () => removeEventListener("hashchange", t);
	}, [
		e,
		n,
		r
	]);
}
function Pi() {
	let [e, t] = R("");
	return z(() => {
		let e = setTimeout(() => t(""), Ai);
		return () => clearTimeout(e);
	}, [e]), [e, t];
}
// node_modules/preact/compat/dist/compat.mjs
var Fi = Object.assign;
function Ii(e, t) {
	for (var n in e) if (n != "__source" && e[n] !== t[n]) return !0;
	for (var r in t) if (r != "__source" && !(r in e)) return !0;
	return !1;
}
var Li = /^(-|f[lo].*[^se]$|g.{5,}[^ps]$|z|o[pr]|(W.{5})?[lL]i.*(t|mp)$|an|(bo|s).{4}Im|sca|m.{6}[ds]|ta|c.*[st]$|wido|ini|asp|fill|st)/;
function Ri(e, t) {
	function n(e) {
		var n = this.props.ref;
		return n != e.ref && n && (typeof n == "function" ? n(null) : n.current = null), t ? !t(this.props, e) || n != e.ref : Ii(this.props, e);
	}
	function r(t) {
		return this.shouldComponentUpdate = n, v(e, t);
	}
	return r.displayName = "Memo(" + (e.displayName || e.name) + ")", r.prototype.isReactComponent = !0, r.type = e, r;
}
var zi = Symbol.for("react.element"), Bi = /^(?:accent|alignment|arabic|baseline|cap|clip(?!PathU)|color|dominant|fill|flood|font|glyph(?!R)|horiz|image(?!S)|letter|lighting|marker(?!H|W|U)|overline|paint|pointer|shape|stop|strikethrough|stroke|text(?!L)|transform|underline|unicode|units|v|vector|vert|word|writing|x(?!C))[A-Z]/, Vi = /[A-Z0-9]/g, Hi = typeof document < "u", Ui = function(e) {
	return /fil|che|rad/.test(e);
};
x.prototype.isReactComponent = !0, [
	"componentWillMount",
	"componentWillReceiveProps",
	"componentWillUpdate"
].forEach(function(e) {
	Object.defineProperty(x.prototype, e, {
		configurable: !0,
		get: function() {
			return this["UNSAFE_" + e];
		},
		set: function(t) {
			Object.defineProperty(this, e, {
				configurable: !0,
				writable: !0,
				value: t
			});
		}
	});
});
var Wi = e.event;
e.event = function(e) {
	return Wi && (e = Wi(e)), e.persist = function() {}, e.isPropagationStopped = function() {
		return this.cancelBubble;
	}, e.isDefaultPrevented = function() {
		return this.defaultPrevented;
	}, e.nativeEvent = e;
};
var Gi = {
	configurable: !0,
	get: function() {
		return this.class;
	}
}, Ki = e.vnode;
e.vnode = function(e) {
	if (typeof e.type == "string") (function(e) {
		var t = e.props, n = e.type, r = {}, i = n.indexOf("-") == -1;
		for (var a in t) {
			var o = t[a];
			if (!(a == "value" && "defaultValue" in t && o == null || Hi && a == "children" && n == "noscript" || a == "class" || a == "className")) {
				if (a == "style" && o && o.constructor == Object) {
					var s = void 0;
					for (var c in o) typeof o[c] != "number" || Li.test(c) || (s ||= o = Fi({}, o), o[c] += "px");
				} else if (a == "defaultValue" && "value" in t && t.value == null) a = "value";
				else if (a == "download" && !0 === o) o = "";
				else if (a == "translate" && o === "no") o = !1;
				else if (a[0] == "o" && a[1] == "n") {
					var l = a.toLowerCase();
					l == "ondoubleclick" ? a = "ondblclick" : l != "onchange" || n != "input" && n != "textarea" || Ui(t.type) ? l == "onfocus" ? a = "onfocusin" : l == "onblur" && (a = "onfocusout") : l = a = "oninput", l == "oninput" && r[a = l] && (a = "oninputCapture");
				} else i && Bi.test(a) ? a = a.replace(Vi, "-$&").toLowerCase() : o === null && (o = void 0);
				r[a] = o;
			}
		}
		if (n == "select") {
			var u = r.defaultValue == null ? r.multiple && Array.isArray(r.value) ? r.value : null : r.defaultValue;
			u != null && (r.value = k(t.children).forEach(function(e) {
				e.props.selected = r.multiple ? u.indexOf(e.props.value) != -1 : u == e.props.value;
			}));
		}
		t.class && !t.className ? (r.class = t.class, Object.defineProperty(r, "className", Gi)) : t.className && (r.class = r.className = t.className), e.props = r;
	})(e);
	else if (typeof e.type == "function" && ("ref" in e.props && "prototype" in e.type && e.type.prototype.render && (e.ref = e.props.ref, delete e.props.ref), e.type.defaultProps)) {
		var t = Fi({}, e.props);
		for (var n in e.type.defaultProps) t[n] === void 0 && (t[n] = e.type.defaultProps[n]);
		e.props = t;
	}
	e.ref && !("ref" in e.props) && Object.defineProperty(e.props, "ref", {
		value: e.ref,
		configurable: !0,
		writable: !0
	}), e.$$typeof = zi, Ki && Ki(e);
};
// src/components/ColourBar.tsx
var qi = 256, Ji = Float32Array.from({ length: qi }, (e, t) => t / 255);
function Yi({ pane: e }) {
	let t = B(null);
	return Ce(() => {
		t.current && Br(t.current, Ji, [1, qi], (e) => e, Be(e.colours));
	}, [e.colours]), /* @__PURE__ */ Q("div", {
		class: "colour-bar",
		children: [
			/* @__PURE__ */ Q("canvas", {
				ref: t,
				"aria-hidden": "true"
			}),
			/* @__PURE__ */ Q("div", {
				class: "ticks",
				"aria-hidden": "true",
				children: e.scale.ticks.map(({ position: e, label: t }) => /* @__PURE__ */ Q("span", {
					style: {
						left: `${100 * e}%`,
						transform: `translateX(-${100 * e}%)`
					},
					children: t
				}, e))
			}),
			/* @__PURE__ */ Q("p", {
				class: "scale-words",
				children: ["Colours: ", e.scale.words]
			})
		]
	});
}
// src/components/PrefixMass.tsx
function Xi({ pane: e, received: t }) {
	if (!Y(e.map) || e.difference) return /* @__PURE__ */ Q("div", { class: "prefix-mass" });
	let n = an(e.map, e.look), r = e.tinted.at(-1), i = r ? `${r.words}: ` : "";
	if (n.length === 0) return /* @__PURE__ */ Q("div", { class: "prefix-mass" });
	let a = [...n.map(({ name: e, weight: t }) => ({
		name: xt(e),
		weight: t,
		kind: "token"
	})), {
		name: "patches",
		weight: e.map.total,
		kind: "patches"
	}], o = a.reduce((e, { weight: t }) => e + t, 0) || 1;
	return /* @__PURE__ */ Q("div", {
		class: "prefix-mass",
		children: [/* @__PURE__ */ Q("div", {
			class: "shares",
			"aria-hidden": "true",
			children: a.map(({ name: e, weight: t, kind: n }, r) => /* @__PURE__ */ Q("span", {
				class: `${n} shade-${r % 2}`,
				style: { width: `${100 * t / o}%` }
			}, e))
		}), /* @__PURE__ */ Q("p", {
			class: "share-words",
			children: [/* @__PURE__ */ Q("span", {
				class: "faint",
				children: [i, t ? "Received from" : "Mass on"]
			}), a.map(({ name: e, weight: n, kind: r }) => /* @__PURE__ */ Q("span", {
				class: `share ${r}`,
				children: [
					e,
					" ",
					/* @__PURE__ */ Q("b", { children: t && r === "patches" ? W(n) : H(n) })
				]
			}, e))]
		})]
	});
}
// src/components/Tints.tsx
var Zi = Ri(function({ tinted: e, columns: t }) {
	return /* @__PURE__ */ Q(b, { children: dn(e, t).map(({ x: e, y: t, width: n, colour: r, opacity: i }) => /* @__PURE__ */ Q("rect", {
		x: e,
		y: t,
		width: n,
		height: 1,
		fill: r,
		"fill-opacity": i
	}, `${e} ${t}`)) });
}), Qi = {
	ArrowUp: [-1, 0],
	ArrowDown: [1, 0],
	ArrowLeft: [0, -1],
	ArrowRight: [0, 1]
};
function $i(e) {
	let { pane: t } = e, n = B(null), [r, i] = t.look.layout.grid, [a, o] = t.image.input_size, s = e.probe === null ? null : G(e.probe, t.look), c = (e) => {
		let t = n.current?.getBoundingClientRect() ?? new DOMRect(), a = (e, t) => Math.min(t - 1, Math.max(0, Math.floor(e * t)));
		return {
			row: a((e.clientY - t.top) / t.height, r),
			column: a((e.clientX - t.left) / t.width, i)
		};
	};
	return /* @__PURE__ */ Q("div", {
		ref: n,
		class: "stage",
		role: "application",
		"aria-roledescription": "attention map",
		"aria-label": `${e.name}: ${Ct(t.query, t.look)}`,
		"aria-describedby": e.helpId,
		tabIndex: 0,
		style: { aspectRatio: `${o} / ${a}` },
		onPointerMove: (t) => {
			let { row: n, column: r } = c(t);
			e.onPoint(yt(n, r));
		},
		onPointerLeave: () => e.onPoint(null),
		onClick: (t) => {
			let { row: n, column: r } = c(t);
			e.onLock(yt(n, r), t.shiftKey, !1);
		},
		onKeyDown: (n) => {
			let r = Qi[n.key];
			if (r) e.onMove(Dt(t.query, r[0], r[1], t.look));
			else if (n.key === "Enter" || n.key === " ") e.onLock(t.query, n.shiftKey, !0);
			else if (n.key === "Escape") e.onRelease();
			else return;
			n.preventDefault(), n.stopPropagation();
		},
		children: [
			/* @__PURE__ */ Q(kr, { image: t.image }),
			/* @__PURE__ */ Q("div", {
				class: "over",
				style: { opacity: e.opacity },
				children: /* @__PURE__ */ Q(Rr, {
					pane: t,
					smoothed: e.smoothed
				})
			}),
			/* @__PURE__ */ Q("svg", {
				class: "over marks",
				viewBox: `0 0 ${i} ${r}`,
				preserveAspectRatio: "none",
				"aria-hidden": "true",
				children: [
					t.mask && /* @__PURE__ */ Q(ea, {
						chosen: t.mask.chosen,
						grid: [r, i]
					}),
					t.tinted.length > 0 && /* @__PURE__ */ Q(Zi, {
						tinted: t.tinted,
						columns: i
					}),
					t.tinted.map(({ query: e, colour: n }) => /* @__PURE__ */ Q(ta, {
						query: e,
						colour: n,
						look: t.look
					}, e)),
					t.tinted.length === 0 && /* @__PURE__ */ Q(ta, {
						query: t.query,
						colour: "#ffffff",
						look: t.look
					}),
					s?.kind === "patch" && /* @__PURE__ */ Q(na, {
						row: s.row,
						column: s.column,
						class: "probe"
					})
				]
			}),
			s?.kind === "patch" && /* @__PURE__ */ Q("div", {
				class: "reading",
				children: en(t, s.row * i + s.column)
			})
		]
	});
}
function ea({ chosen: e, grid: t }) {
	let n = _n(e, t);
	return /* @__PURE__ */ Q(b, { children: [/* @__PURE__ */ Q("path", {
		d: n,
		class: "casing"
	}), /* @__PURE__ */ Q("path", {
		d: n,
		class: "edge",
		stroke: "#ffffff"
	})] });
}
function ta({ query: e, colour: t, look: n }) {
	let r = G(e, n);
	return r?.kind === "patch" ? /* @__PURE__ */ Q(na, {
		row: r.row,
		column: r.column,
		class: "marker",
		colour: t
	}) : null;
}
function na(e) {
	let t = {
		x: e.column,
		y: e.row,
		width: 1,
		height: 1
	};
	return /* @__PURE__ */ Q(b, { children: [/* @__PURE__ */ Q("rect", {
		...t,
		class: `casing ${e.class}`
	}), /* @__PURE__ */ Q("rect", {
		...t,
		class: `edge ${e.class}`,
		stroke: e.colour ?? "#ffffff"
	})] });
}
// src/components/PaneView.tsx
var ra = Ri(function({ pane: e, state: t, probe: n, letter: r, helpId: i, ...a }) {
	let o = e.look.layout.grid[0] * e.look.layout.grid[1], [s, c] = e.image.input_size, l = { width: `min(100%, calc(${c / s} * var(--tallest)))` };
	return /* @__PURE__ */ Q("section", {
		class: "pane",
		"aria-label": r ? `Picture ${r}` : "Picture",
		style: l,
		children: [
			/* @__PURE__ */ Q("h2", {
				title: `${e.image.name}, ${e.look.label}`,
				children: [
					r && /* @__PURE__ */ Q("span", {
						class: "letter",
						children: r
					}),
					/* @__PURE__ */ Q("span", {
						class: "name",
						children: e.image.name
					}),
					" ",
					/* @__PURE__ */ Q("span", {
						class: "faint",
						children: e.look.label
					})
				]
			}),
			/* @__PURE__ */ Q($i, {
				pane: e,
				name: r ? `Picture ${r}` : "Picture",
				smoothed: t.smooth,
				opacity: t.opacity,
				probe: n,
				helpId: i,
				...a
			}),
			/* @__PURE__ */ Q("p", {
				class: "caption",
				children: [e.map === "pending" ? "Decoding …" : e.caption, e.mask && ` Outlined: ${Xt(e.mask, o)}.`]
			}),
			e.tinted.length > 0 ? /* @__PURE__ */ Q(ia, {
				pane: e,
				patches: o
			}) : Y(e.map) && /* @__PURE__ */ Q(Yi, { pane: e }),
			/* @__PURE__ */ Q(Xi, {
				pane: e,
				received: t.direction === "to"
			})
		]
	});
});
function ia({ pane: e, patches: t }) {
	return /* @__PURE__ */ Q("ul", {
		class: "legend",
		children: e.tinted.map(({ query: e, colour: n, words: r, map: i, mask: a }) => /* @__PURE__ */ Q("li", { children: [
			/* @__PURE__ */ Q("span", {
				class: "swatch",
				style: { background: n }
			}),
			r,
			": ",
			Xt(a, t),
			", at most ",
			H(i.maximum)
		] }, e))
	});
}
// src/maps/ticks.ts
function aa(e, t) {
	if (!(e > 0) || !Number.isFinite(e)) return [0];
	let n = e / t, r = 10 ** Math.floor(Math.log10(n)), i = r * ([
		1,
		2,
		2.5,
		5,
		10
	].find((e) => e * r >= n) ?? 10), a = Math.ceil(e / i - 1e-9);
	return Array.from({ length: a + 1 }, (e, t) => Number((t * i).toPrecision(12)));
}
// src/components/Plots.tsx
var oa = 240, sa = 150, ca = 34, la = 14;
function ua({ gallery: e, state: t, update: n }) {
	let { shown: r, rescale: i } = t, [a, o, s] = V(() => [
		"distance",
		"entropy",
		"prefix"
	].map((t) => Nr(e, r, t, i)), [
		e,
		r,
		i
	]);
	return /* @__PURE__ */ Q("section", {
		class: "plots",
		"aria-label": "Every head by depth",
		"data-tour": "plots",
		children: [/* @__PURE__ */ Q("div", {
			class: "plot-row",
			children: [
				a && /* @__PURE__ */ Q(da, {
					title: "Distance",
					unit: "px",
					data: a,
					state: t,
					update: n
				}),
				o && /* @__PURE__ */ Q(da, {
					title: "Entropy",
					unit: "nats",
					data: o,
					state: t,
					update: n
				}),
				s && /* @__PURE__ */ Q(da, {
					title: "Prefix mass",
					unit: "%",
					data: s,
					state: t,
					update: n
				})
			]
		}), a ? /* @__PURE__ */ Q("div", {
			class: "plot-foot",
			children: [/* @__PURE__ */ Q(br, {
				label: "distance with rows rescaled to 1 over the patches",
				checked: i,
				onChange: (e) => n({ rescale: e })
			}), /* @__PURE__ */ Q("span", {
				class: "faint",
				children: [t.compared !== null && "picture A; ", "dashed: uniform attention; line: mean over heads"]
			})]
		}) : /* @__PURE__ */ Q("p", {
			class: "note",
			children: "A layer of this look was refused, so its statistics were not computed."
		})]
	});
}
function da(e) {
	let { title: t, unit: n, data: r, state: i, update: a } = e, o = V(() => fa(r, n), [r, n]), s = (e) => {
		let t = e.currentTarget.getBoundingClientRect(), n = {
			x: (e.clientX - t.left) / t.width * oa,
			y: (e.clientY - t.top) / t.height * sa
		}, r = pa(o.dots, n);
		r && (r.layer !== i.layer || r.head !== i.head) && a(er(i, r.layer, r.head));
	}, c = o.dots.filter(({ layer: e, head: t }) => e === i.layer && (t === i.head || i.head === "mean")), l = Math.min(...o.dots.map((e) => e.value)), u = Math.max(...o.dots.map((e) => e.value));
	return /* @__PURE__ */ Q("figure", { children: [/* @__PURE__ */ Q("figcaption", {
		title: r.convention,
		children: [/* @__PURE__ */ Q("span", { children: [
			t,
			" ",
			/* @__PURE__ */ Q("span", {
				class: "faint",
				children: n
			})
		] }), c.length === 1 && c[0] && /* @__PURE__ */ Q("span", {
			class: "plot-value",
			children: [
				"L",
				i.layer,
				" H",
				i.head,
				": ",
				o.words(c[0].value)
			]
		})]
	}), /* @__PURE__ */ Q("svg", {
		viewBox: `0 0 ${oa} ${sa}`,
		role: "img",
		"aria-label": `${r.convention}: every head by layer, from ${o.words(l)} to ${o.words(u)}`,
		onPointerMove: s,
		children: [
			o.ticks.map(({ y: e, label: t }) => /* @__PURE__ */ Q("g", { children: [/* @__PURE__ */ Q("line", {
				x1: ca,
				x2: 232,
				y1: e,
				y2: e,
				class: "rule"
			}), /* @__PURE__ */ Q("text", {
				x: 29,
				y: e + 3.5,
				"text-anchor": "end",
				children: t
			})] }, t)),
			o.layers.map(({ x: e, layer: t }) => /* @__PURE__ */ Q("text", {
				x: e,
				y: 136,
				"text-anchor": "middle",
				children: t
			}, t)),
			/* @__PURE__ */ Q("text", {
				x: 133,
				y: 148,
				"text-anchor": "middle",
				class: "axis-name",
				children: "layer"
			}),
			o.baseline !== null && /* @__PURE__ */ Q("line", {
				x1: ca,
				x2: 232,
				y1: o.baseline,
				y2: o.baseline,
				class: "baseline"
			}),
			/* @__PURE__ */ Q("polyline", {
				points: o.mean,
				class: "mean"
			}),
			/* @__PURE__ */ Q("g", {
				class: i.isolated ? "dots dim" : "dots",
				children: o.dots.map((e) => /* @__PURE__ */ Q("circle", {
					cx: e.x,
					cy: e.y,
					r: 2.2
				}, `${e.layer} ${e.head}`))
			}),
			c.map((e) => /* @__PURE__ */ Q("circle", {
				cx: e.x,
				cy: e.y,
				r: 3.6,
				class: "chosen"
			}, `${e.layer} ${e.head}`))
		]
	})] });
}
function fa(e, t) {
	let n = t === "%" ? 100 : 1, r = e.values.flat().filter((e) => !Number.isNaN(e)), i = Math.max(...r, e.baseline ?? 0, 1e-9) * n, a = e.values.length, o = (e) => 42 + 182 * e / Math.max(a - 1, 1), s = aa(i, 4), c = Math.max(s.at(-1) ?? i, i), l = (e) => 124 - 116 * e * n / c, u = e.values.flatMap((e, t) => e.flatMap((e, n) => Number.isNaN(e) ? [] : [{
		layer: t,
		head: n,
		value: e,
		x: o(t),
		y: l(e)
	}])), d = e.values.map((e) => {
		let t = e.filter((e) => !Number.isNaN(e));
		return t.reduce((e, t) => e + t, 0) / t.length;
	}), f = Math.ceil(a / 10);
	return {
		dots: u,
		mean: d.flatMap((e, t) => Number.isNaN(e) ? [] : [`${o(t)},${l(e)}`]).join(" "),
		ticks: s.map((e) => ({
			y: l(e / n),
			label: String(e)
		})),
		layers: e.values.flatMap((e, t) => t % f === 0 ? [{
			layer: t,
			x: o(t)
		}] : []),
		baseline: e.baseline === null ? null : l(e.baseline),
		words: (e) => `${W(e * n)} ${t}`
	};
}
function pa(e, t) {
	let n = null, r = la;
	for (let i of e) {
		let e = Math.hypot(i.x - t.x, i.y - t.y);
		e < r && ([n, r] = [i, e]);
	}
	return n;
}
// src/components/Provenance.tsx
function ma({ payload: e, look: t, image: n, letter: r, checks: i }) {
	let a = Object.entries(t.conventions);
	return /* @__PURE__ */ Q("section", {
		class: "provenance",
		"aria-label": `Provenance${r && ` of picture ${r}`}`,
		children: [
			/* @__PURE__ */ Q("h2", { children: [r && /* @__PURE__ */ Q("span", {
				class: "letter",
				children: r
			}), "Where this comes from"] }),
			/* @__PURE__ */ Q("div", {
				class: "origin",
				children: [/* @__PURE__ */ Q("div", {
					class: "figures",
					children: [/* @__PURE__ */ Q("figure", { children: [/* @__PURE__ */ Q("figcaption", { children: ["What the model saw ", /* @__PURE__ */ Q("span", {
						class: "faint",
						children: va(n.input_size)
					})] }), /* @__PURE__ */ Q("img", {
						src: n.seen,
						alt: `The model's input, made from ${n.name}`
					})] }), n.original && n.original_size && n.box && /* @__PURE__ */ Q("figure", { children: [/* @__PURE__ */ Q("figcaption", { children: ["The original ", /* @__PURE__ */ Q("span", {
						class: "faint",
						children: va(n.original_size)
					})] }), /* @__PURE__ */ Q(_a, { image: n })] })]
				}), /* @__PURE__ */ Q("dl", { children: [
					/* @__PURE__ */ Q("dt", { children: "picture" }),
					/* @__PURE__ */ Q("dd", { children: [n.name, n.note && ` (${n.note})`] }),
					/* @__PURE__ */ Q("dt", { children: "rows in this page" }),
					/* @__PURE__ */ Q("dd", { children: ha(t, i) }),
					/* @__PURE__ */ Q("dt", { children: "page" }),
					/* @__PURE__ */ Q("dd", { children: [
						e.made_by,
						", format ",
						e.version
					] }),
					t.facts.map(([e, t]) => /* @__PURE__ */ Q(ga, {
						name: e,
						value: t
					}, e))
				] })]
			}),
			/* @__PURE__ */ Q("details", { children: [/* @__PURE__ */ Q("summary", { children: "Conventions" }), /* @__PURE__ */ Q("dl", { children: a.map(([e, t]) => /* @__PURE__ */ Q(ga, {
				name: e.replaceAll("_", " "),
				value: t
			}, e)) })] })
		]
	});
}
function ha(e, { python: t, here: n, layers: r }) {
	let i = n === null ? "" : `; recomputed in this browser on ${r} of them: ${ya(n)}`;
	return `agree with Python’s to ${ya(t)} of a row’s or column’s maximum (${e.rows_compared})${i}`;
}
function ga({ name: e, value: t }) {
	return /* @__PURE__ */ Q(b, { children: [/* @__PURE__ */ Q("dt", { children: e }), /* @__PURE__ */ Q("dd", { children: t })] });
}
function _a({ image: e }) {
	let [t, n] = e.original_size, [r, i, a, o] = e.box;
	return /* @__PURE__ */ Q("div", {
		class: "original",
		style: { aspectRatio: `${n} / ${t}` },
		children: [/* @__PURE__ */ Q("img", {
			src: e.original ?? "",
			alt: `The original of ${e.name}, with the model's crop framed`
		}), /* @__PURE__ */ Q("svg", {
			viewBox: `0 0 ${n} ${t}`,
			preserveAspectRatio: "none",
			"aria-hidden": "true",
			children: [/* @__PURE__ */ Q("path", {
				class: "outside",
				"fill-rule": "evenodd",
				d: `M0 0H${n}V${t}H0ZM${r} ${i}H${a}V${o}H${r}Z`
			}), /* @__PURE__ */ Q("rect", {
				x: r,
				y: i,
				width: a - r,
				height: o - i
			})]
		})]
	});
}
function va([e, t]) {
	return `${e} px high, ${t} wide`;
}
function ya(e) {
	return e === 0 ? "0" : e.toExponential(1).replace("e-", "e−").replace("e+0", "");
}
// src/components/TopPatches.tsx
var ba = 10;
function xa({ pane: e, letter: t }) {
	let n = X(e);
	if (!n) return null;
	let r = e.difference !== null, i = r ? Ge : H;
	return /* @__PURE__ */ Q("table", {
		class: "top-patches",
		children: [
			/* @__PURE__ */ Q("caption", { children: [
				r ? "Largest differences" : "Strongest patches",
				e.tinted.length > 0 && ` of ${e.tinted.at(-1).words}`,
				t && `, picture ${t}`
			] }),
			/* @__PURE__ */ Q("thead", { children: /* @__PURE__ */ Q("tr", { children: [
				/* @__PURE__ */ Q("th", {
					scope: "col",
					children: "row"
				}),
				/* @__PURE__ */ Q("th", {
					scope: "col",
					children: "column"
				}),
				/* @__PURE__ */ Q("th", {
					scope: "col",
					children: "weight"
				}),
				!r && /* @__PURE__ */ Q("th", {
					scope: "col",
					children: "× uniform"
				})
			] }) }),
			/* @__PURE__ */ Q("tbody", { children: [on(n, e.look.layout.grid[1], ba).map(({ patch: e, row: t, column: a, weight: o }) => /* @__PURE__ */ Q("tr", { children: [
				/* @__PURE__ */ Q("td", { children: t }),
				/* @__PURE__ */ Q("td", { children: a }),
				/* @__PURE__ */ Q("td", { children: i(o) }),
				!r && /* @__PURE__ */ Q("td", { children: Ke(o, n.uniform) })
			] }, e)), an(n, e.look).map(({ name: e, weight: t }) => /* @__PURE__ */ Q("tr", {
				class: "prefix",
				children: [
					/* @__PURE__ */ Q("td", {
						colSpan: 2,
						children: xt(e)
					}),
					/* @__PURE__ */ Q("td", { children: H(t) }),
					/* @__PURE__ */ Q("td", { children: Ke(t, n.uniform) })
				]
			}, e))] })
		]
	});
}
// src/components/Tour.tsx
var Sa = [
	{
		target: "picture",
		corner: "right",
		text: "A Vision Transformer cuts the picture into patches; point at one, and the colours show where it looks.",
		change: {
			method: "row",
			head: "mean",
			direction: "from",
			locked: [],
			isolated: !1
		}
	},
	{
		target: "queries",
		corner: "right",
		text: "Prefix tokens such as CLS look too, though they stand nowhere in the picture; the model’s answer is often read from one."
	},
	{
		target: "heads",
		corner: "left",
		text: "Each layer looks with several heads at once, and each head in its own way; choose one by its thumbnail.",
		change: { sort: "none" }
	},
	{
		target: "plots",
		corner: "left",
		text: "Mean attention distance says how far each head looks: in large trained models the low layers often mix near and far, and the high ones look mostly far."
	},
	{
		target: "scale",
		corner: "right",
		text: "Colours mean what the bar says; “times uniform” lets you compare heads, as 1× is looking everywhere alike.",
		change: { scale: "uniform" }
	},
	{
		target: "method",
		corner: "right",
		text: "Rollout multiplies attention through all layers, to show what the answer could draw on; attention alone is not yet an explanation.",
		change: {
			scale: "linear",
			method: "rollout"
		}
	}
];
function Ca(e) {
	let { step: t, root: n, go: r, update: i } = e, a = B(null), o = Sa[t];
	return Ce(() => {
		let t = {
			state: e.state,
			focus: document.activeElement,
			top: scrollY
		};
		return () => {
			i(t.state), scrollTo({ top: t.top }), t.focus instanceof HTMLElement && t.focus.focus({ preventScroll: !0 });
		};
	}, []), Ce(() => {
		if (!o) return;
		let { method: t, ...r } = o.change ?? {};
		i({
			...r,
			...t && (t !== "rollout" || e.rollout) ? { method: t } : {}
		});
		let s = n?.querySelector(`[data-tour="${o.target}"]`);
		return s?.classList.add("toured"), s?.scrollIntoView({
			block: "nearest",
			behavior: wa() ? "auto" : "smooth"
		}), a.current?.focus({ preventScroll: !0 }), () => s?.classList.remove("toured");
	}, [t, n]), o ? /* @__PURE__ */ Q("div", {
		ref: a,
		class: `tour ${o.corner}`,
		role: "dialog",
		"aria-label": "Guided tour",
		tabIndex: -1,
		children: [
			/* @__PURE__ */ Q("p", {
				class: "faint",
				children: [
					"Step ",
					t + 1,
					" of ",
					Sa.length
				]
			}),
			/* @__PURE__ */ Q("p", { children: o.text }),
			/* @__PURE__ */ Q("div", {
				class: "tour-buttons",
				children: [
					/* @__PURE__ */ Q("button", {
						type: "button",
						disabled: t === 0,
						onClick: () => r(t - 1),
						children: "Back"
					}),
					t + 1 < Sa.length && /* @__PURE__ */ Q("button", {
						type: "button",
						class: "primary",
						onClick: () => r(t + 1),
						children: "Next"
					}),
					/* @__PURE__ */ Q("button", {
						type: "button",
						class: t + 1 < Sa.length ? "" : "primary",
						onClick: () => r(null),
						children: t + 1 < Sa.length ? "Close" : "Done"
					})
				]
			})
		]
	}) : null;
}
function wa() {
	return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
// src/components/App.tsx
var Ta = "Point at a patch to see where it looks; click or tap to lock it. Keys: arrows move, Enter locks (with shift, adds), Esc releases.", Ea = "The rollout starts from the model’s readout; point at a patch to read its weight.";
function Da({ payload: e, source: t, address: n }) {
	let { gallery: r, revision: i, failure: a } = Mi(e, t), [o, s] = R(() => n ? ir(n.read(), e) : Qn(e));
	return r ? /* @__PURE__ */ Q(Oa, {
		payload: e,
		address: n,
		gallery: r,
		revision: i,
		state: o,
		setState: s
	}) : /* @__PURE__ */ Q("p", {
		class: "opening",
		children: a ? `vitscope cannot show this: ${a}` : "Opening …"
	});
}
function Oa({ payload: e, address: t, gallery: n, revision: r, state: i, setState: a }) {
	let [o, s] = R(null), [c, l] = R(null), [u, d] = R(""), [f, p] = Pi(), [m, h] = R(!1), [g, _] = R(null), [v, y] = R(null), b = Te(), x = we((e) => a((t) => ({
		...t,
		...e
	})), [a]), S = we(() => {
		s(null), x({
			locked: [],
			isolated: !1
		});
	}, [x]), C = V(() => Vt(n, i, o), [
		n,
		r,
		i,
		o
	]), w = V(() => Ht(n, i, o), [
		n,
		r,
		i,
		o
	]), T = w ? [C, w] : [C];
	Ni(t, i, e, a), z(() => {
		n.prepare(i.shown), i.compared !== null && n.prepare(i.compared);
	}, [
		n,
		i.shown,
		i.compared
	]);
	let E = B(!1);
	z(() => {
		E.current && d(tn(C)), E.current = !1;
	}, [C]);
	let ee = (e) => {
		let t = (t) => Ut(t, e, C);
		return {
			onPoint: (e) => {
				let n = i.locked.length > 0 || i.method === "rollout";
				(n ? l : s)(e && t(e)), (n ? s : l)(null);
			},
			onLock: (e, n, r) => {
				i.method !== "rollout" && (E.current = r, s(null), x($n(i, t(e), n || m)));
			},
			onMove: (e) => {
				i.method !== "rollout" && (E.current = !0, i.locked.length > 0 ? x({ locked: [...i.locked.slice(0, -1), t(e)] }) : s(t(e)));
			},
			onRelease: S
		};
	}, D = [
		{
			label: "Tour",
			title: "six steps, a sentence each",
			run: () => _(0)
		},
		...t ? [{
			label: "Copy link",
			title: "to exactly what is shown",
			run: async () => p(await ka(t, i, e))
		}] : [],
		{
			label: "PNG",
			title: "download what is shown as a picture",
			run: () => Wn(T, i)
		},
		{
			label: "SVG",
			title: "download what is shown as a drawing",
			run: () => Un(T, i)
		},
		{
			label: "CSV",
			title: "download the numbers of what is shown",
			run: () => Gn(T)
		}
	], O = Bt(i, o, C.look), k = {
		look: C.look,
		image: C.image,
		state: i,
		query: O,
		update: x
	};
	return /* @__PURE__ */ Q("div", {
		ref: y,
		class: `page ${w ? "two" : "one"}`,
		onKeyDown: (e) => e.key === "Escape" && (g === null ? S() : _(null)),
		children: [
			/* @__PURE__ */ Q(Mr, {
				title: e.title,
				summary: T.map(Aa).join(" · "),
				actions: D
			}),
			/* @__PURE__ */ Q("main", { children: [/* @__PURE__ */ Q("div", {
				class: "pictures",
				"data-tour": "picture",
				children: [
					/* @__PURE__ */ Q("div", {
						class: "panes",
						children: T.map((e, t) => /* @__PURE__ */ Q(ra, {
							pane: e,
							state: i,
							probe: c && Ut(c, C, e),
							letter: w ? "AB"[t] : "",
							helpId: b,
							...ee(e)
						}, t))
					}),
					/* @__PURE__ */ Q("div", {
						class: "help",
						children: [/* @__PURE__ */ Q("p", {
							id: b,
							class: "faint",
							children: i.method === "rollout" ? Ea : Ta
						}), i.method !== "rollout" && /* @__PURE__ */ Q(br, {
							label: "Clicks add a query, up to five",
							checked: m,
							onChange: h
						})]
					}),
					/* @__PURE__ */ Q(jr, {
						payload: e,
						state: i,
						update: x
					})
				]
			}), /* @__PURE__ */ Q("div", {
				class: "side",
				children: [
					/* @__PURE__ */ Q(Cr, {
						...k,
						lock: (e, t) => x($n(i, e, t || m))
					}),
					/* @__PURE__ */ Q(qr, {
						gallery: n,
						state: i,
						query: O,
						revision: r,
						update: x
					}),
					/* @__PURE__ */ Q(ua, {
						gallery: n,
						state: i,
						update: x
					})
				]
			})] }),
			/* @__PURE__ */ Q("section", {
				class: "below",
				"aria-label": "Numbers and provenance",
				children: T.map((t, r) => /* @__PURE__ */ Q("div", {
					class: "details",
					children: [/* @__PURE__ */ Q(xa, {
						pane: t,
						letter: w ? "AB"[r] : ""
					}), /* @__PURE__ */ Q(ma, {
						payload: e,
						look: t.look,
						image: t.image,
						letter: w ? "AB"[r] : "",
						checks: mr(n, t.view)
					})]
				}, r))
			}),
			/* @__PURE__ */ Q("p", {
				class: "announced",
				role: "status",
				children: u
			}),
			/* @__PURE__ */ Q("p", {
				class: "notice",
				role: "status",
				children: f
			}),
			g !== null && /* @__PURE__ */ Q(Ca, {
				step: g,
				root: v,
				state: i,
				update: x,
				go: _,
				rollout: !!C.image.rollout
			})
		]
	});
}
async function ka(e, t, n) {
	let r = e.link(rr(t, n));
	try {
		return await navigator.clipboard.writeText(r), "Link copied.";
	} catch {
		return `This browser does not let the page copy; the link is ${r}`;
	}
}
function Aa({ look: e }) {
	return `${e.label}: ${e.layout.description}; attention verified to ${e.verification_error.toExponential(0)}`;
}
// src/version.ts
var ja = 1;
function Ma(e) {
	let { format: t, version: n } = e ?? {};
	if (t !== "vitscope-page" || n !== ja) throw Error(`found a payload of format “${String(t)}”, version ${String(n)}; expected “vitscope-page”, version ${ja}: write the page again with the vitscope that is installed`);
	return e;
}
// src/widget.tsx
var Na = 5e3, Pa = { render({ model: e, el: t }) {
	t.classList.add("vitscope", "in-notebook"), t.dataset.lmSuppressShortcuts = "true";
	let n = La(t, e.get("_picture")), r = new Fa(e), i = setTimeout(() => {
		n.textContent = "The interactive view needs the kernel that made it: run this cell again.";
	}, Na);
	return r.header().then((e) => {
		clearTimeout(i), t.replaceChildren(), P(/* @__PURE__ */ Q(Da, {
			payload: e,
			source: r,
			address: null
		}), t);
	}).catch((e) => {
		n.textContent = `vitscope cannot show this: ${e instanceof Error ? e.message : String(e)}`;
	}), () => {
		clearTimeout(i), r.close(), P(null, t);
	};
} }, Fa = class {
	model;
	view = String(Math.random());
	asked = /* @__PURE__ */ new Map();
	constructor(e) {
		this.model = e, e.on("msg:custom", this.hear);
	}
	async header() {
		let [e] = await this.ask("header", 0);
		return Ma(JSON.parse(e.header ?? "{}"));
	}
	async bytes(e) {
		let [, t] = await this.ask("block", e), n = t[0];
		if (!n) throw Error(`the kernel sent no bytes for block ${e}; run the cell again`);
		return new Uint8Array(n.buffer, n.byteOffset, n.byteLength).slice().buffer;
	}
	close() {
		this.model.off("msg:custom", this.hear);
	}
	ask(e, t) {
		return new Promise((n) => {
			let r = Ia(e === "header", t);
			this.asked.set(r, [...this.asked.get(r) ?? [], (e, t) => n([e, t])]), this.model.send({
				want: e,
				index: t,
				view: this.view
			});
		});
	}
	hear = (e, t) => {
		if (e.view !== this.view) return;
		let n = Ia(e.header !== void 0, e.index), r = this.asked.get(n) ?? [];
		this.asked.delete(n);
		for (let n of r) n(e, t);
	};
};
function Ia(e, t) {
	return e ? "header" : `block ${t}`;
}
function La(e, t) {
	let n = document.createElement("p");
	if (n.textContent = "Opening …", e.replaceChildren(n), t) {
		let n = document.createElement("img");
		n.src = t, n.alt = "A picture of what is shown here", n.style.maxWidth = "100%", e.prepend(n);
	}
	return n;
}
export { Fa as Kernel, Pa as default };
