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
var le, F, ue, de, fe = Object.is, pe = 0, me = [], he = [], I = e, ge = I.__b, _e = I.__r, ve = I.diffed, ye = I.__c, be = I.unmount, xe = I.__;
function Se(e, t) {
	I.__h && I.__h(F, e, pe || t), pe = 0;
	var n = F.__H || (F.__H = {
		__: [],
		__h: []
	});
	return e >= n.__.length && n.__.push({}), n.__[e];
}
function L(e) {
	return pe = 1, Ce(Fe, e);
}
function Ce(e, t, n) {
	var r = Se(le++, 2);
	if (r.t = e, !r.__c && (r.__ = [n ? n(t) : Fe(void 0, t), function(e) {
		var t = (r.__N || r.__)[0], n = r.t(t, e);
		fe(t, n) || (r.__N = [n, r.__[1]], r.__c.setState({}));
	}], r.__c = F, !F.__f)) {
		F.__f = !0;
		var i = F.shouldComponentUpdate;
		F.shouldComponentUpdate = function(e, t, n) {
			var r = this.__H;
			if (!r) return !0;
			var a = !1, o = this.props != e;
			if (r.__.some(function(e) {
				e.__N && (a = !0, fe(e.__[0], e.__N[0]) || (o = !0));
			}), i) {
				var s = i.call(this, e, t, n);
				return a ? s || o : s;
			}
			return !a || o;
		};
	}
	return r.__;
}
function we(e, t) {
	var n = Se(le++, 3);
	!I.__s && Pe(n.__H, t) && (n.__P = !0, n.__ = e, n.u = t, F.__H.__h.push(n));
}
function Te(e, t) {
	var n = Se(le++, 4);
	!I.__s && Pe(n.__H, t) && (n.__P = !1, n.__ = e, n.u = t, F.__h.push(n));
}
function R(e) {
	return pe = 5, z(function() {
		return { current: e };
	}, []);
}
function z(e, t) {
	var n = Se(le++, 7);
	return Pe(n.__H, t) && (n.__ = e(), n.__H = t), n.__;
}
function Ee(e, t) {
	return pe = 8, z(function() {
		return e;
	}, t);
}
function De() {
	var e = Se(le++, 11);
	if (!e.__) {
		for (var t = F.__v; !t.__m && t.__;) t = t.__;
		var n = t.__m || (t.__m = [0, 0]);
		e.__ = "P" + n[0] + "-" + n[1]++;
	}
	return e.__;
}
function Oe() {
	var e;
	do {
		for (; e = he.shift();) try {
			Me(e);
		} catch (t) {
			I.__e(t, { __: (e = e.__P) && e.__v });
		}
		for (; e = me.shift();) {
			var t = e.__H;
			if (e.__P && t) try {
				t.__h.some(Me), t.__h.some(Ne), t.__h = [];
			} catch (n) {
				t.__h = [], I.__e(n, e.__v);
			}
		}
	} while (he.length);
}
I.__b = function(e) {
	F = null, ge && ge(e);
}, I.__ = function(e, t) {
	e && t.__k && t.__k.__m && (e.__m = t.__k.__m), xe && xe(e, t);
}, I.__r = function(e) {
	_e && _e(e), le = 0;
	var t = (F = e.__c).__H;
	t && (ue == F ? F.__h = [] : (t.__h.some(Me), t.__h.some(Ne), le = 0), t.__h = [], t.__.some(function(e) {
		e.__N && (e.__ = e.__N), e.u = e.__N = void 0;
	})), ue = F;
}, I.diffed = function(e) {
	ve && ve(e);
	var t = e.__c;
	t && t.__H && (t.__H.__h.length && je(me.push(t)), t.__H.__.some(function(e) {
		e.u && (e.__H = e.u);
	})), ue = F = null;
}, I.__c = function(e, t) {
	t.some(function(e) {
		try {
			e.__h.some(Me), e.__h = e.__h.filter(function(e) {
				return !e.__ || Ne(e);
			});
		} catch (t) {
			e.__h = [function() {
				throw t;
			}];
		}
	}), ye && ye(e, t);
}, I.unmount = function(e) {
	be && be(e);
	var t, n, r = e.__c;
	r && r.__H && (r.__H.__.some(function(r) {
		try {
			if (r.__P && r.__c) {
				if (n === void 0) {
					for (n = e.__; n && (!n.__c || !n.__c.__P);) n = n.__;
					n &&= n.__c;
				}
				r.__P = n, je(he.push(r));
			} else Me(r);
		} catch (e) {
			t = e;
		}
	}), r.__H = void 0, t && I.__e(t, r.__v));
};
var ke = typeof requestAnimationFrame == "function";
function Ae(e) {
	var t, n = function() {
		clearTimeout(r), ke && cancelAnimationFrame(t), setTimeout(e);
	}, r = setTimeout(n, 35);
	ke && (t = requestAnimationFrame(n));
}
function je(e) {
	e != 1 && de == I.requestAnimationFrame || ((de = I.requestAnimationFrame) || Ae)(Oe);
}
function Me(e) {
	var t = F, n = e.__c;
	typeof n == "function" && (e.__c = void 0, n()), F = t;
}
function Ne(e) {
	var t = F;
	e.__c = e.__(), F = t;
}
function Pe(e, t) {
	return !e || e.length != t.length || t.some(function(t, n) {
		return !fe(t, e[n]);
	});
}
function Fe(e, t) {
	return typeof t == "function" ? t(e) : t;
}
// src/numbers/base64.ts
function Ie(e) {
	let t = Uint8Array.fromBase64;
	return t ? t.call(Uint8Array, e) : Le(e);
}
function Le(e) {
	let t = atob(e), n = new Uint8Array(t.length);
	for (let e = 0; e < t.length; e++) n[e] = t.charCodeAt(e);
	return n;
}
// src/colours/tables.ts
var Re = {
	viridis: "RAFURAJVRANXRQVYRQZaRQhbRglcRgteRgxfRg5hRw9iRxFjRxJlRxRmRxVnRxZpRxhqSBlrSBpsSBxuSB1vSB5wSCBxSCFySCJzSCN0RyV1RyZ2Ryd3Ryh4Ryp5Ryt6Ryx7Ri18Ri98RjB9RjF+RTJ/RTR/RTWARTaBRDeBRDmCQzqDQzuDQzyEQj2EQj6FQkCFQUGGQUKGQEOHQESHP0WHP0eIPkiIPkmJPUqJPUuJPUyJPE2KPE6KO1CKO1GKOlKLOlOLOVSLOVWLOFaLOFeMN1iMN1mMNlqMNluMNVyMNV2MNF6NNF+NM2CNM2GNMmKNMmONMWSNMWWNMWaNMGeNMGiNL2mNL2qNLmuOLmyOLm2OLW6OLW+OLHCOLHGOLHKOK3OOK3SOKnWOKnaOKneOKXiOKXmOKHqOKHqOKHuOJ3yOJ32OJ36OJn+OJoCOJoGOJYKOJYONJISNJIWNJIaNI4eNI4iNI4mNIomNIoqNIouNIYyNIY2MIY6MII+MIJCMIJGMH5KMH5OLH5SLH5WLH5aLHpeKHpiKHpmKHpmKHpqJHpuJHpyJHp2IHp6IHp+IHqCHH6GHH6KGH6OGIKSFIKWFIaaFIaeEIqeEI6iDI6mCJKqCJauBJqyBJ62AKK5/Ka9/KrB+K7F9LLF9LrJ8L7N7MLR6MrV6M7Z5Nbd4Nrh3OLl2Obl2O7p1Pbt0PrxzQL1yQr5xRL5wRb9vR8BuScFtS8JsTcJrT8NpUcRoU8VnVcZmV8ZlWcdkW8hiXslhYMlgYspfZMtdZ8xcacxba81Zbc5YcM5Wcs9VdNBUd9BSedFRfNJPftJOgdNMg9NLhtRJiNVHi9VGjdZEkNZDktdBldc/l9g+mtg8ndk6n9k4oto3pdo1p9szqtsyrdwwr9wust0std0rt90put4nvd4mv98kwt8ixd8hx+AfyuAezeAdz+Ec0uEb1OEa1+IZ2uIY3OIY3+MY4eMY5OMY5+QZ6eQZ7OQa7uUb8eUc8+Ue9uYf+OYh+uYi/eck",
	inferno: "AAADAAAEAAAGAQAHAQEJAQELAgEOAgIQAwISBAMUBAMWBQQYBgQbBwUdCAYfCQYhCgcjCwcmDQgoDggqDwktEAkvEgoyEwo0FAs2Fgs5Fws7GQs+GgtAHAxDHQxFHwxHIAxKIgtMJAtOJgtQJwtSKQtUKwpWLQpYLgpaMApcMgldNAlfNQlgNwlhOQliOwlkPAllPglmQAlmQQlnQwpoRQppRgppSAtqSgtqSwxrTQxrTw1sUA1sUg5sUw5tVQ9tVw9tWBBtWhFtWxFuXRJuXxJuYBNuYhRuYxRuZRVuZhVuaBZuahduaxdubRhubhhucBluchltcxptdRttdhtteBxtehxtex1sfR1sfh5sgB9rgR9rgyBrhSBqhiFqiCFqiSJpiyJpjSNpjiRokCRokSVnkyVnlSZmliZmmCdlmShkmyhknCljniljoCpioSthoythpCxgpixfpy1fqS5eqy5drC9crjBbrzFbsTFasjJZtDNYtTNXtzRWuDVWujZVuzdUvTdTvjhSvzlRwTpQwjtPxDxOxT1Nxz5MyD5LyT9Ky0BJzEFIzUJHz0RG0EVE0UZD0kdC1EhB1UlA1ko/10s+2U092k4720863FA53VI43lM331Q24FY04lcz41gy5Fox5Vsw5lwu5l4t518s6GEr6WIq6mQo62Un7Gcm7Wgl7Woj7mwi720h8G8f8HAe8XId8nQc8nUa83cZ83kY9HoW9XwV9X4U9oAS9oER94MQ94UO+IcN+IgM+IoL+YwJ+Y4I+ZAI+pEH+pMG+pUG+pcG+5kG+5sG+50G+54H+6AH+6II+6QK+6YL+6gN+6oO+6wQ+64S+7AU+7EW+7MY+7Ua+7cc+7ke+rsh+r0j+r8l+sEo+cMq+cUs+ccv+Mkx+Ms0+M03988699E89tM/9tVC9ddF9dlI9NtL9NxP895S8+BW8+JZ8uRd8uZg8ehk8elo8ets8e1w8e508fB58fJ98vOB8vSF8/aJ9PeN9fiR9vqV9/uZ+fyd+v2g/P6k",
	cividis: "ACJNACNPACNQACRSACVUACZVACZXACdZAChbAChcACleACpgACpiACtkACxmACxnAC1pAC5rAC9tAC9vADBwADBwADFwADFwBDJwCDNwCzNwDjRwETVvFDZvFjZvGDdvGjhvHDhuHTluHzpuITtuIjtuJDxuJT1tJz1tKD5tKj9tKz9tLEBtLkFsL0JsMEJsMUNsMkRsNERsNUVsNkZsN0ZsOEdsOUhsOkhrO0lrPUprPktrP0trQExrQU1rQk1rQ05rRE9rRU9rRlBrR1FrSFFrSVJrSlNrS1RsTFRsTVVsTlZsTlZsT1dsUFhsUVhsUllsU1psVFpsVVttVlxtV11tWF1tWV5tWV9tWl9tW2BuXGFuXWFuXmJuX2NuYGRuYWRvYWVvYmZvY2ZvZGdvZWhwZmlwZ2lwaGpwaGtxaWtxamxxa21xbG1ybW5ybm9ybnBzb3BzcHFzcXJzcnN0c3N0dHR1dHV1dXV1dnZ2d3d2eHh2eXh3eXl3enp3e3t3fHt4fXx4fn14f314gH54gX94goB4g4B4hIF4hYJ4hYN4hoN4h4R4iIV4iYZ4ioZ4i4d4jIh4jYl4jol4j4p3kIt3kYx3kox3k413lI53lY93lo93l5B2mJF2mZJ2mpN2m5N2nJR2nZV1npZ1n5Z1oJd1oZh0opl0o5p0pJp0pZtzppxzp51zqJ5zqZ5yqp9yq6ByrKFxraJxrqJxr6NwsKRwsaVwsqZvs6ZvtKdvtahutqlut6ptuKttuattuqxsu61svK5rva9rvrBqv7BqwbFpwrJpw7NoxLRoxbVnxrVnx7ZmyLdlybhlyrlky7pkzLtjzbxizrxiz71h0L5g0r9g08Bf1MFe1cJe1sNd18Nc2MRb2cVa2sZa28dZ3MhY3slX38pW4MtV4cxU4sxT481S5M5R5c9Q5tBP6NFO6dJN6tNM69RL7NVK7dZI7tdH79hG8dlE8tpD89pC9NtA9dw/9t09+N47+d86+uA4++E2/eI0/eMz/eU0/eY2/ec3",
	grey: "AAAAAQEBAgICAwMDBAQEBQUFBgYGBwcHCAgICQkJCgoKCwsLDAwMDQ0NDg4ODw8PEBAQEREREhISExMTFBQUFRUVFhYWFxcXGBgYGRkZGhoaGxsbHBwcHR0dHh4eHx8fICAgICAgIiIiIyMjJCQkJCQkJiYmJycnKCgoKCgoKioqKysrLCwsLCwsLi4uLy8vMDAwMDAwMjIyMzMzNDQ0NDQ0NjY2Nzc3ODg4ODg4Ojo6Ozs7PDw8PDw8Pj4+Pz8/QEBAQUFBQUFBQ0NDRERERUVFRkZGR0dHSEhISUlJSUlJS0tLTExMTU1NTk5OT09PUFBQUVFRUVFRU1NTVFRUVVVVVlZWV1dXWFhYWVlZWVlZW1tbXFxcXV1dXl5eX19fYGBgYWFhYWFhY2NjZGRkZWVlZmZmZ2dnaGhoaWlpaWlpa2trbGxsbW1tbm5ub29vcHBwcXFxcXFxc3NzdHR0dXV1dnZ2d3d3eHh4eXl5eXl5e3t7fHx8fX19fn5+f39/gICAgYGBgoKCg4ODg4ODhYWFhoaGh4eHiIiIiYmJioqKi4uLjIyMjY2Njo6Oj4+PkJCQkZGRkpKSk5OTk5OTlZWVlpaWl5eXmJiYmZmZmpqam5ubnJycnZ2dnp6en5+foKCgoaGhoqKio6Ojo6OjpaWlpqamp6enqKioqampqqqqq6urrKysra2trq6ur6+vsLCwsbGxsrKys7Ozs7OztbW1tra2t7e3uLi4ubm5urq6u7u7vLy8vb29vr6+v7+/wMDAwcHBwsLCw8PDw8PDxcXFxsbGx8fHyMjIycnJysrKy8vLzMzMzc3Nzs7Oz8/P0NDQ0dHR0tLS09PT09PT1dXV1tbW19fX2NjY2dnZ2tra29vb3Nzc3d3d3t7e39/f4ODg4eHh4uLi4+Pj4+Pj5eXl5ubm5+fn6Ojo6enp6urq6+vr7Ozs7e3t7u7u7+/v8PDw8fHx8vLy8/Pz8/Pz9fX19vb29/f3+Pj4+fn5+vr6+/v7/Pz8/f39/v7+////",
	difference: "OkzAO03BPE/DPlHEP1PGQFTHQVbJQljKQ1rMRVvNRl3PR1/QSGDRSWLTS2TUTGbWTWfXTmnYUGvaUWzbUm7cU3DdVXHeVnPgV3XhWHbiWnjjW3nkXHvlXX3mX37nYIDoYYLqY4PqZIXrZYbsZ4jtaInuaYvva43wbI7xbZDxb5HycJPzcZT0c5X0dJf1dZj2d5r2eJv3ep34e574fKD5fqH5f6L6gKT6gqX7g6b7haj7hqn8h6r8iaz8iq39i679ja/9jrH9kLL+kbP+krT+lLX+lbf+l7j+mLn+mbr+m7v+nLz+nb3+n77+oL/+osD+o8H+pML+psP9p8T9qMX9qsb9q8f8rMj8rsn8r8r7sMv7ssv7s8z6tM36ts75t8/5uM/4udD4u9H3vNH2vdL2vtP1wNP1wdT0wtTzw9XyxdXyxtbxx9bwyNfvydfuytjuzNjtzdnsztnrz9nq0Nrp0dro0trn09vm1dvl1tvk19vi2Nvh2dzg2tzf29ze3Nzd3dzb3tva39vZ4NrX4drW4tnU49nT5NjR5djQ5tfP59bN59bM6NXK6dTJ6tPH69PG7NLE7NHD7dDB7c/A7s++786878278My58cu48cq28sm18siz8sey88aw88Wv9MSt9MOr9MKq9cGo9cCn9b+l9r2k9ryi9rug9rqf9rmd9rec9raa97WY97OX97KV97GU97CS966R962P9quN9qqM9qmK9qeJ9qaH9qSG9qOE9aGC9aCB9Z5/9J1+9Jt89Jp785h585Z485V28pN18pFz8ZBy8Y5w8I1v8Itt74ls7odq7oZp7YRn7IJm7IBk639j6n1h6ntg6Xle6Hdd53Vc5nRa5nJZ5XBX5G5W42xU4mpT4WhS4GZQ32RP3mJO3WBM3F5L21xK2lpI2VhH2FZG11RE1lJD1E9C001A0ks/0Uk+z0Y9zkQ8zUI6zD85yj04yTs3yDg1xjU0xTIzxDAywi0xwSowvyguviMtvB8suxoruRYquBEptg0otQgnswMm"
}, ze = [
	"viridis",
	"inferno",
	"cividis",
	"grey"
], Be = [
	"#e69f00",
	"#0072b2",
	"#009e73",
	"#d55e00",
	"#56b4e9"
], Ve = /* @__PURE__ */ new Map();
function He(e) {
	let t = Ve.get(e);
	return t || Ve.set(e, t = Ie(Re[e])), t;
}
function Ue(e) {
	return e > 0 ? Math.min(255, Math.floor(e * 256)) : 0;
}
function We(e, t, n, r, i = () => 1) {
	for (let a = 0; a < e.length; a++) {
		let o = e[a], s = !Number.isNaN(o), c = s ? 3 * Ue(t(o)) : 0;
		for (let e = 0; e < 3; e++) r[4 * a + e] = s ? n[c + e] : 0;
		r[4 * a + 3] = s ? 255 * i(a) : 0;
	}
}
// src/maps/format.ts
var Ge = "−", Ke = "—";
function B(e) {
	let t = 100 * e, n = Math.abs(t);
	return Number.isFinite(t) ? n === 0 ? "0 %" : n < .001 ? t < 0 ? `>${Ge}0.001 %` : "<0.001 %" : `${Ze(t, n >= 89.95 ? 3 : 2)} %` : Ke;
}
function qe(e) {
	let t = B(e);
	return e > 0 && /^\d/.test(t) ? `+${t}` : t;
}
function V(e) {
	return Number.isFinite(e) ? `${H(100 * e)} %` : Ke;
}
function Je(e, t) {
	let n = e / t;
	return Number.isFinite(n) ? n > 0 && n < .001 ? "<0.001" : Ze(n, 2) : Ke;
}
function Ye(e) {
	return Number.isFinite(e) ? `${Math.abs(e) < 10 ? Ze(e, 2) : Xe(e)} px` : Ke;
}
function Xe(e) {
	return e.toFixed(0).replace("-", Ge);
}
function H(e) {
	let t = Ze(e, 3);
	return t.includes(".") ? t.replace(/\.?0+$/, "") : t;
}
function Ze(e, t) {
	if (e === 0) return "0";
	let n = e.toExponential(t - 1), r = Number(n.slice(n.indexOf("e") + 1)), i = Math.min(100, Math.max(0, t - 1 - r));
	return Number(n).toFixed(i).replace("-", Ge);
}
// src/maps/scale.ts
var Qe = 3, $e = .12;
function et(e, t) {
	let n = nt(e, t);
	if (!(Number.isFinite(n) && n > 0)) return rt(e, n);
	let r = t.maximum > n;
	return {
		name: e,
		position: e === "logarithmic" ? it(n) : (e) => at(e / n),
		ticks: ot(e, n, t, r),
		words: ut(e, n, t, r),
		clipped: r
	};
}
function tt(e, t = "difference") {
	let n = "difference";
	if (!(Number.isFinite(e) && e > 0)) return {
		name: n,
		position: () => .5,
		ticks: [{
			position: .5,
			label: "0"
		}],
		words: e === 0 ? `no ${t}` : `the ${t} is not a number`,
		clipped: !1
	};
	let r = [`−${V(e)}`, `+${V(e)}`];
	return {
		name: n,
		position: (t) => Number.isNaN(t) ? .5 : at(.5 + t / (2 * e)),
		ticks: [
			{
				position: 0,
				label: r[0]
			},
			{
				position: .5,
				label: "0"
			},
			{
				position: 1,
				label: r[1]
			}
		],
		words: `${r[0]} to ${r[1]}, centred on ${t === "weight" ? "0" : "no difference"}`,
		clipped: !1
	};
}
function nt(e, { maximum: t, shared: n, uniform: r, ceiling: i }) {
	return e === "uniform" ? i * r : e === "shared" ? n : t;
}
function rt(e, t) {
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
function it(e) {
	return (t) => at(1 + Math.log10(t / e) / Qe);
}
function at(e) {
	return e > 0 ? Math.min(1, e) : 0;
}
function ot(e, t, { ceiling: n }, r) {
	let i = r ? "≥" : "";
	return e === "logarithmic" ? lt(t) : e === "uniform" ? st(n, "×", i) : st(100 * t, " %", i);
}
function st(e, t, n) {
	let r = ct(e / 4), i = [{
		position: 0,
		label: "0"
	}];
	for (let n = 1; n * r < .88 * e; n++) i.push({
		position: n * r / e,
		label: `${H(n * r)}${t}`
	});
	return [...i, {
		position: 1,
		label: `${n}${H(e)}${t}`
	}];
}
function ct(e) {
	let t = 10 ** Math.floor(Math.log10(e));
	return ([
		1,
		2,
		5,
		10
	].find((n) => n * t >= e * (1 - 1e-9)) ?? 10) * t;
}
function lt(e) {
	let t = it(e), n = [], r = Math.floor(Math.log10(100 * e));
	for (let e = r - Qe; e <= r; e++) {
		let r = t(10 ** e / 100);
		r > 0 && r < .88 && n.push({
			position: r,
			label: V(10 ** e / 100)
		});
	}
	let i = n.every((e) => e.position > $e), a = {
		position: 0,
		label: `≤${V(e / 10 ** Qe)}`
	};
	return [
		...i ? [a] : [],
		...n,
		{
			position: 1,
			label: V(e)
		}
	];
}
function ut(e, t, n, r) {
	let { maximum: i, uniform: a, ceiling: o } = n, s = r ? `; higher values, up to ${H(i / a)} times, have the top colour` : "";
	switch (e) {
		case "linear": return `0 to this map's maximum, ${V(t)}`;
		case "shared": return `0 to the maximum of all heads of this layer, ${V(t)}`;
		case "uniform": return `0 to ${H(o)} times uniform attention, ${V(t)}${s}`;
		case "logarithmic": return `logarithmic, from ${V(t / 10 ** Qe)} and less to this map's maximum, ${V(t)}`;
	}
}
// src/maps/mass.ts
function dt(e, t) {
	if (!(t >= 0 && t <= 1)) throw RangeError(`mass must be from 0 to 1; found ${t}`);
	let n = ft(e), r = new Uint8Array(e.length), [i, a] = [0, 0];
	for (let o of pt(e)) {
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
function ft(e) {
	let t = 0;
	for (let n = 0; n < e.length; n++) {
		let r = e[n];
		if (!(r >= 0 && r < Infinity)) throw RangeError(`a map must hold finite numbers ≥ 0; found ${r} at patch ${n}`);
		t += r;
	}
	return t;
}
function pt(e) {
	return Uint32Array.from({ length: e.length }, (e, t) => t).sort((t, n) => e[n] - e[t] || t - n);
}
// src/state/crops.ts
var mt = [
	0,
	0,
	1,
	1
];
function ht(e, t) {
	if (!e.box || !t.box || e.original === null || e.original !== t.original) return mt;
	let [n, r, i, a] = t.box, [o, s, c, l] = e.box, [u, d] = [a - r, i - n];
	return [
		(s - r) / u,
		(o - n) / d,
		(l - r) / u,
		(c - n) / d
	];
}
// src/maps/resample.ts
var gt = 1e-9;
function _t(e, t, n, r = mt) {
	let [i, a, o, s] = r, c = yt(t[0], n[0], i, o), l = yt(t[1], n[1], a, s), u = new Float64Array(n[0] * n[1]);
	for (let r of c) for (let i of l) {
		let a = Number.isNaN(r.share + i.share) ? NaN : e[r.from * t[1] + i.from];
		u[r.to * n[1] + i.to] += a * r.share * i.share;
	}
	return Float32Array.from(u);
}
function vt(e, t, n) {
	let r = (e) => Math.min(1, n.grid[e] * n.patch_size[e] / (t.grid[e] * t.patch_size[e]));
	return _t(e, t.grid, n.grid, [
		0,
		0,
		r(0),
		r(1)
	]);
}
function yt(e, t, n, r) {
	let i = (i) => {
		let a = e * (n + (r - n) * i / t);
		return Math.abs(a - Math.round(a)) < gt ? Math.round(a) : a;
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
// src/state/lattices.ts
function U(e, t) {
	if (t !== "mean") return e.layers[t]?.arrangement ?? {
		queries: e.layout,
		keys: e.layout
	};
	let n = U(e, 0);
	return e.layers.every(({ arrangement: t }) => {
		let r = t ?? {
			queries: e.layout,
			keys: e.layout
		};
		return xt(r.queries, n.queries) && xt(r.keys, n.keys);
	}) ? n : {
		queries: e.layout,
		keys: e.layout
	};
}
function bt(e, t) {
	return t === "from" ? {
		asked: e.queries,
		shown: e.keys
	} : {
		asked: e.keys,
		shown: e.queries
	};
}
function xt(e, t) {
	return e === t || String(e.grid) === String(t.grid) && String(e.prefix) === String(t.prefix);
}
function St({ grid: e, prefix: t }) {
	let n = e[0] * e[1];
	return {
		patches: n,
		prefix: t.length,
		tokens: t.length + n
	};
}
function W({ row: e, column: t }, n, r) {
	let i = (e, t) => {
		let i = (e + .5) * n.patch_size[t];
		return Math.max(0, Math.min(r.grid[t] - 1, Math.floor(i / r.patch_size[t])));
	};
	return {
		row: i(e, 0),
		column: i(t, 1)
	};
}
function Ct({ grid: e, patch_size: t }, { input_size: n }) {
	return [e[0] * t[0] / n[0], e[1] * t[1] / n[1]];
}
// src/state/query.ts
var wt = /^(0|[1-9]\d{0,4}),(0|[1-9]\d{0,4})$/, Tt = /* @__PURE__ */ new Map([["cls", "class token"], ["dist", "distillation token"]]);
function Et(e, t) {
	return `${e},${t}`;
}
function G(e, t) {
	let { grid: n } = t.layout;
	if (kt(t).includes(e)) return {
		kind: "prefix",
		name: e
	};
	if (e === "mean") return { kind: "mean" };
	if (e === t.reading?.query) return At(t) ? { kind: "pool" } : null;
	let [, r, i] = (wt.exec(e) ?? []).map(Number);
	return r === void 0 || i === void 0 || r >= n[0] || i >= n[1] ? null : {
		kind: "patch",
		row: r,
		column: i
	};
}
function Dt(e, t, n) {
	if (e.kind === "prefix") {
		let n = t.prefix.indexOf(e.name);
		return n >= 0 ? n : null;
	}
	if (e.kind !== "patch" || t.grid[0] * t.grid[1] === 0) return null;
	let { row: r, column: i } = W(e, n.layout, t);
	return t.prefix.length + r * t.grid[1] + i;
}
function Ot(e, t, n) {
	let r = G(e, n);
	if (r?.kind !== "patch") return e;
	let { row: i, column: a } = W(W(r, n.layout, t), t, n.layout);
	return Et(i, a);
}
function kt(e) {
	let t = e.layers.flatMap(({ arrangement: e }) => e?.queries.prefix ?? []);
	return [.../* @__PURE__ */ new Set([...e.layout.prefix, ...t])];
}
function At(e) {
	return e.images.every((e) => e.pool);
}
function jt(e) {
	let t = kt(e).map((e) => ({
		query: e,
		label: Mt(e),
		title: Nt(e)
	})), n = e.reading && At(e) ? [{
		pool: {
			query: "pool",
			label: "Pool",
			title: "the pooling head's own query, in the last layer"
		},
		cls: {
			query: "cls",
			label: "CLS",
			title: "the class token's, in class attention after the last layer"
		}
	}[e.reading.query]] : [];
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
function Mt(e) {
	let t = /^reg(\d+)$/.exec(e);
	return t ? `R${t[1]}` : e.toUpperCase();
}
function Nt(e) {
	let t = /^reg(\d+)$/.exec(e);
	return t ? `register ${t[1]}` : Tt.get(e) ?? `token ${e}`;
}
function Pt(e, t, n = t.layout) {
	let r = G(e, t);
	if (e === "outside") return "a place outside a crop";
	if (!r) return e;
	if (r.kind === "prefix") return Nt(r.name);
	if (r.kind === "patch") {
		let { row: e, column: i } = W(r, t.layout, n);
		return `patch row ${e}, column ${i}`;
	}
	return r.kind === "mean" ? "mean over the patch queries" : e === "pool" ? "pooling head's query" : Nt(e);
}
function Ft(e, t, n = t.layout) {
	let r = Pt(e, t, n);
	return /^(class|distillation|mean|pooling)/.test(r) ? `the ${r}` : r;
}
var It = "outside";
function Lt(e, t, n, r = mt) {
	let i = G(e, t);
	if (i?.kind !== "patch") return e;
	let a = (e, i) => {
		let a = (e + .5) / t.layout.grid[i];
		return Math.floor((a - r[i]) / (r[i + 2] - r[i]) * n.layout.grid[i]);
	}, [o, s] = [a(i.row, 0), a(i.column, 1)];
	return o >= 0 && s >= 0 && o < n.layout.grid[0] && s < n.layout.grid[1] ? Et(o, s) : It;
}
function Rt(e, t, n, r, i = r.layout) {
	let [a, o] = i.grid, s = G(e, r), c = s?.kind === "patch" ? W(s, r.layout, i) : {
		row: Math.floor(a / 2) - t,
		column: Math.floor(o / 2) - n
	}, l = (e, t) => Math.min(t - 1, Math.max(0, e)), { row: u, column: d } = W({
		row: l(c.row + t, a),
		column: l(c.column + n, o)
	}, i, r.layout);
	return Et(u, d);
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
function zt(e, t, n) {
	let r = K(e)[t]?.image, i = K(e).findIndex((e) => e.look === n && e.image === r);
	return i >= 0 ? i : null;
}
// src/attention/average.ts
function Bt(e, t, n, r, i) {
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
function Vt(e, t) {
	let n = q(e.payload, t.view), r = G(t.query, n);
	return t.query === "outside" ? { absent: "only one of the crops reaches it" } : r ? t.direction === "to" && r.kind !== "patch" && r.kind !== "prefix" ? { absent: "nothing attends to a mean of queries: choose a patch or a prefix token" } : r.kind === "pool" ? Wt(e, t) : Gt(e, t, r, t.layer === "mean" ? n.layers.map((e, t) => t) : [t.layer]) : { absent: `this model has no query “${t.query}”` };
}
function Ht(e, t, n) {
	let r = J(e.payload, t), { layout: i } = q(e.payload, t), { patches: a, tokens: o } = St(i);
	if (!r.rollout) return { absent: r.rollout_absent ?? "there is no rollout" };
	let s = e.numbers(r.rollout), c = Math.min(n, s.length / a - 1);
	return Yt(s.subarray(c * a, (c + 1) * a), i, [], 1 / o, 1);
}
function Ut(e, t) {
	if (t.layer === "mean") return NaN;
	let n = q(e.payload, t.view), r = G(t.query, n)?.kind === "pool" ? J(e.payload, t.view).pool : null, i = (r ? r.shape[0] : n.layers[t.layer]?.heads) ?? 0, a = 0;
	for (let n = 0; n < i; n++) {
		let r = Vt(e, {
			...t,
			head: n
		});
		Y(r) && (a = Math.max(a, r.maximum));
	}
	return a;
}
function Wt(e, { view: t, layer: n, head: r }) {
	let i = J(e.payload, t), a = q(e.payload, t), o = a.layers.length - 1;
	if (!i.pool || !a.reading) return { absent: "this model has no pooling head" };
	let s = a.reading.query === "pool" ? "the pooling head" : "class attention";
	if (n !== o) return { absent: `${s} reads the last layer, ${o}` };
	let { keys: c } = a.reading, { prefix: l } = St(c), [u = 0, d = 0] = i.pool.shape, f = e.numbers(i.pool);
	if (r !== "mean" && r >= u) return { absent: `${s} has ${u} heads` };
	let p = new Float32Array(d), m = r === "mean" ? Array.from({ length: u }, (e, t) => t) : [r];
	for (let e of m) for (let t = 0; t < d; t++) p[t] += f[e * d + t] / m.length;
	return Yt(p.subarray(l), c, p.subarray(0, l), 1 / d, 1);
}
function Gt(e, t, n, r) {
	let i = q(e.payload, t.view), { shown: a } = bt(U(i, t.layer), t.direction), { tokens: o, prefix: s } = St(a), c = new Float32Array(o), l = /* @__PURE__ */ new Set(), u = 0, d = "";
	for (let s of r) {
		let r = e.layer(t.view, s);
		if (r.kind === "pending") return "pending";
		let f = r.kind === "absent" ? r.absent : Kt(r.layer, t, n, i, s);
		if (typeof f == "string") d = `layer ${s}${f.startsWith(" ") ? "" : ": "}${f}`;
		else {
			let { shown: e } = bt(U(i, s), t.direction), n = xt(e, a) ? f : Jt(f, e, a);
			for (let e = 0; e < o; e++) c[e] += n[e];
			l.add(r.kind === "ready" ? r.layer.uniform : NaN), u++;
		}
	}
	if (u === 0) return { absent: d };
	for (let e = 0; e < o; e++) c[e] /= u;
	let f = l.size === 1 ? [...l][0] : 1 / o;
	return Yt(c.subarray(s), a, c.subarray(0, s), f, u);
}
function Kt(e, { head: t, direction: n }, r, i, a) {
	if (t !== "mean" && t >= e.heads) return ` has ${e.heads} heads`;
	let o = new Float32Array(n === "from" ? e.keys : e.queries);
	if (r.kind === "mean") return qt(e, t, o);
	let s = Dt(r, bt(U(i, a), n).asked, i);
	return s === null ? " has no such token" : t === "mean" ? Bt(e, s, n, o, new Float32Array(o.length)) : n === "from" ? e.row(t, s, o) : e.column(t, s, o);
}
function qt(e, t, n) {
	if (t !== "mean") return e.meanRow(t);
	for (let t = 0; t < e.heads; t++) {
		let r = e.meanRow(t);
		for (let t = 0; t < n.length; t++) n[t] += r[t] / e.heads;
	}
	return n;
}
function Jt(e, t, n) {
	let r = n.prefix.map((n) => e[t.prefix.indexOf(n)] ?? 0), i = vt(e.subarray(t.prefix.length), t, n);
	return Float32Array.from([...r, ...i]);
}
function Yt(e, t, n, r, i) {
	let [a, o, s] = [
		0,
		0,
		0
	];
	for (let t of e) a = Math.min(a, t), o = Math.max(o, t), s += t;
	return Number.isFinite(Array.from(n).reduce((e, t) => e + t, s)) ? {
		values: e,
		lattice: t,
		prefix: Float32Array.from(n),
		maximum: o,
		minimum: a,
		total: s,
		uniform: r,
		layers: i
	} : { absent: "some of its weights are not numbers" };
}
function Xt(e, t) {
	let n = q(e.payload, t.view), r = G(t.query, n);
	if (t.layer === "mean" || r?.kind !== "patch") return null;
	let i = e.layer(t.view, t.layer), { asked: a, shown: o } = bt(U(n, t.layer), t.direction), s = Dt(r, a, n);
	if (i.kind !== "ready" || s === null) return null;
	let c = i.layer.reach(s, t.direction)?.subarray(o.prefix.length);
	return c && !c.every((e) => e === 1) ? c : null;
}
// src/engine/pane.ts
function Zt(e) {
	return e.readout;
}
function Qt(e, t, n) {
	return t ?? e.locked.at(-1) ?? Zt(n);
}
function $t(e, t, n) {
	return nn(e, t, t.shown, n);
}
function en(e, t, n) {
	if (t.compared === null) return null;
	let [r, i] = [q(e.payload, t.shown), q(e.payload, t.compared)], [a, o] = [J(e.payload, t.shown), J(e.payload, t.compared)], s = (e) => tn(e, {
		look: r,
		image: a
	}, {
		look: i,
		image: o
	}), c = t.difference ? {
		...t,
		locked: t.locked.slice(-1)
	} : t, l = nn(e, {
		...c,
		layer: gn(t.layer, r, i),
		head: _n(t.head, i),
		start: Number(gn(t.start, r, i)),
		locked: c.locked.map(s)
	}, t.compared, n && s(n));
	return t.difference ? cn(l, nn(e, c, t.shown, n)) : l;
}
function tn(e, t, n) {
	return Lt(e, t.look, n.look, ht(n.image, t.image));
}
function nn(e, t, n, r) {
	let i = q(e.payload, n), a = t.method === "rollout" ? Zt(i) : Qt(t, r, i), o = {
		view: n,
		layer: t.layer,
		head: t.head,
		query: a,
		direction: t.direction
	}, s = t.method === "rollout" ? Ht(e, n, t.start) : Vt(e, o), c = G(a, i), { asked: l, shown: u } = an(t, i, s, c?.kind === "pool"), d = sn(t, s, t.scale === "shared" && t.method !== "rollout" ? Ut(e, o) : NaN), f = r === null && t.method !== "rollout" ? ln(e, t, o) : [];
	return {
		view: n,
		look: i,
		image: J(e.payload, n),
		query: a,
		token: c?.kind === "patch" ? W(c, i.layout, l) : null,
		asked: l,
		shown: u,
		window: t.method === "rollout" || f.length > 0 ? null : Xt(e, o),
		direction: t.direction,
		map: s,
		difference: null,
		scale: d,
		colours: on(s) ? "difference" : t.colours,
		mask: t.method === "mask" && Y(s) && f.length === 0 ? rn(s, t.mass) : null,
		tinted: f,
		caption: un(t, i, a, s, f.length)
	};
}
function rn(e, t) {
	return dt(on(e) ? e.values.map((e) => Math.max(0, e)) : e.values, t);
}
function an(e, t, n, r) {
	if (e.method === "rollout") return {
		asked: t.layout,
		shown: t.layout
	};
	let { asked: i, shown: a } = bt(U(t, e.layer), e.direction);
	return {
		asked: i,
		shown: Y(n) ? n.lattice : r && t.reading ? t.reading.keys : a
	};
}
function on(e) {
	return Y(e) && e.minimum < 0;
}
function sn(e, t, n) {
	if (Y(t) && on(t)) return tt(Math.max(t.maximum, -t.minimum), "weight");
	let r = Y(t) ? t.maximum : 0, i = Y(t) ? t.uniform : 1;
	return et(e.scale === "shared" && Number.isNaN(n) ? "linear" : e.scale, {
		maximum: r,
		shared: n,
		uniform: i,
		ceiling: e.ceiling
	});
}
function cn(e, t) {
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
	let n = ht(e.image, t.image), r = _t(t.map.values, t.shown.grid, e.shown.grid, n), i = e.map.values.map((e, t) => e - r[t]), a = i.filter((e) => !Number.isNaN(e)), o = a.reduce((e, t) => Math.max(e, Math.abs(t)), 0), s = a.reduce((e, t) => e + t, 0), c = String(e.shown.grid) === String(t.shown.grid) && String(n) === String(mt) ? "" : ", A laid on this grid by area", l = a.length < i.length ? ", where both crops reach" : "";
	return {
		...e,
		difference: {
			...e.map,
			values: i,
			prefix: /* @__PURE__ */ new Float32Array(),
			maximum: o,
			minimum: -o,
			total: s
		},
		scale: tt(o),
		colours: "difference",
		mask: null,
		caption: `B − A${c}${l}. ${e.caption}`
	};
}
function ln(e, t, n) {
	if (t.locked.length < 2) return [];
	let r = q(e.payload, n.view), { asked: i } = bt(U(r, n.layer), n.direction), a = t.locked.flatMap((a, o) => {
		let s = Vt(e, {
			...n,
			query: a
		});
		return Y(s) ? [{
			query: a,
			colour: Be[o % Be.length],
			words: Pt(a, r, i),
			caption: un(t, r, a, s, 0),
			map: s,
			mask: rn(s, t.mass)
		}] : [];
	});
	return a.length > 1 ? a : [];
}
function un(e, t, n, r, i) {
	let a = !Y(r) && r !== "pending" ? `: ${r.absent}` : "";
	if (e.method === "rollout") return `${hn(t.conventions.rollout)}, from layer ${e.start} on${a}.`;
	let { asked: o } = bt(U(t, e.layer), e.direction), s = Ft(n, t, o), c = i > 0 ? `What each of ${i} queries attends to` : `What ${s} attends to`, l = e.direction === "from" ? c : `Who attends to ${i > 0 ? `each of ${i} tokens` : s}`, u = on(r) ? " Some weights are negative: the heads are mixed after the softmax." : "";
	return `${l}, ${e.layer === "mean" ? fn(r, t) : dn(e.layer, n, t)}, ${e.head === "mean" ? "mean over heads" : `head ${e.head}`}${a}.${u}`;
}
function dn(e, t, n) {
	if (G(t, n)?.kind === "pool") return t === "pool" ? `layer ${e}` : `class attention after layer ${e}`;
	let r = n.layers[e]?.arrangement?.words;
	return `layer ${e}${r ? ` (${r})` : ""}`;
}
function fn(e, t) {
	let n = t.layers.length, r = Y(e) && e.layers < n ? `mean over ${e.layers} of ${n} layers` : "mean over layers";
	return t.layers.every((e, n) => xt(U(t, n).keys, U(t, 0).keys)) ? r : `${r}, their cells laid on ${t.layout.grid.join(" × ")} by area`;
}
function pn({ mask: e, window: t }) {
	return e?.chosen ?? t ?? void 0;
}
function mn(e, t) {
	return `${B(e.held)} of the mass in ${e.count} of ${t} patches`;
}
function hn(e) {
	return e.charAt(0).toUpperCase() + e.slice(1);
}
function gn(e, t, n) {
	return e === "mean" || t.layers.length === 1 ? e : Math.round(e * (n.layers.length - 1) / (t.layers.length - 1));
}
function _n(e, t) {
	return e === "mean" ? e : Math.min(e, Math.max(...t.layers.map((e) => e.heads)) - 1);
}
// src/engine/words.ts
function vn(e, t) {
	let n = e.shown.grid[1], r = `patch row ${Math.floor(t / n)}, column ${t % n}`, i = X(e);
	if (!i) return r;
	let a = i.values[t] ?? NaN;
	return e.tinted.length > 0 ? `${r}: ${e.tinted.map((e) => `${B(e.map.values[t] ?? NaN)} of ${e.words}`).join("; ")}` : Number.isNaN(a) ? `${r}: only one of the crops reaches it` : e.difference ? `${r}: ${qe(a)} beside the first` : `${r}: ${B(a)}, ${Je(a, i.uniform)} times uniform`;
}
function yn(e) {
	let t = X(e);
	if (!t) return e.caption;
	if (e.tinted.length > 0) return `${e.caption} ${e.tinted.map((t) => bn(t, e)).join(" ")}`;
	let n = Cn(t, e.shown.grid[1], 1)[0], r = xn(e);
	return `${e.caption} Strongest: ${n ? vn(e, n.patch) : "none"}.${r ? ` ${r}.` : ""}`;
}
function bn({ words: e, map: t }, n) {
	let [r] = Cn(t, n.shown.grid[1], 1), i = r ? `strongest at row ${r.row}, column ${r.column}, ${B(r.weight)}` : "no weight";
	return `${e.charAt(0).toUpperCase()}${e.slice(1)}: ${i}.`;
}
function xn(e) {
	let t = X(e), n = t ? Sn(t) : [];
	if (!t || n.length === 0) return "";
	let r = n.map(({ name: e, weight: t }) => `${Mt(e)} ${B(t)}`).join(", ");
	return e.direction === "to" ? `Received from ${r}, patches ${H(t.total)}` : `${r}, patches ${B(t.total)}`;
}
function Sn(e) {
	let { prefix: t } = e.lattice, n = t.length - e.prefix.length;
	return Array.from(e.prefix, (e, r) => ({
		name: t[n + r] ?? "",
		weight: e
	}));
}
function Cn(e, t, n) {
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
function wn(e, t) {
	return [e, ...t].map((e) => e.map(Tn).join(",") + "\r\n").join("");
}
function Tn(e) {
	let t = typeof e == "number" ? String(e) : En(e);
	return /[",\r\n]/.test(t) ? `"${t.replaceAll("\"", "\"\"")}"` : t;
}
function En(e) {
	return /^[=+\-@\t\r]/.test(e) ? `'${e}` : e;
}
// src/engine/tints.ts
var Dn = .2;
function On(e, t) {
	let n = 1 / e.length;
	return e.flatMap(({ mask: e, map: r, colour: i }, a) => Array.from(r.values).flatMap((o, s) => {
		if (!e.chosen[s]) return [];
		let c = Dn + .7 * o / (r.maximum || 1);
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
var [kn, An, jn, Mn] = [
	0,
	1,
	2,
	3
], Nn = [
	[0, 1],
	[1, 0],
	[0, -1],
	[-1, 0]
];
function Pn(e, t) {
	let n = Fn(e, t), r = new Uint8Array(n.length), i = "";
	for (let e = 0; e < n.length; e++) n[e] & ~r[e] & 1 << kn && (i += In(n, r, e, t[1] + 1));
	return i;
}
function Fn(e, [t, n]) {
	let r = n + 1, i = new Uint8Array((t + 1) * r), a = (r, i) => r >= 0 && r < t && i >= 0 && i < n && e[r * n + i] > 0;
	for (let e = 0; e < t; e++) for (let t = 0; t < n; t++) {
		if (!a(e, t)) continue;
		let n = e * r + t;
		a(e - 1, t) || (i[n] |= 1 << kn), a(e, t + 1) || (i[n + 1] |= 1 << An), a(e + 1, t) || (i[n + r + 1] |= 1 << jn), a(e, t - 1) || (i[n + r] |= 1 << Mn);
	}
	return i;
}
function In(e, t, n, r) {
	let i = n, a = kn, o = `M${n % r} ${Math.floor(n / r)}`;
	for (;;) {
		t[i] |= 1 << a;
		let [s, c] = Nn[a];
		i += s * r + c;
		let l = Ln(e[i], a);
		if (i === n && l === kn) return `${o}Z`;
		l !== a && (o += a % 2 == 0 ? `H${i % r}` : `V${Math.floor(i / r)}`), a = l;
	}
}
function Ln(e, t) {
	let n = (t + 1) % 4;
	return e & 1 << n ? n : e & 1 << t ? t : (t + 3) % 4;
}
// src/maps/smooth.ts
function Rn(e, t, n) {
	let [r, i] = [Vn(t[0], n), Vn(t[1], n)], a = new Float32Array(r.length * i.length), o = 0;
	for (let { low: n, high: s, part: c } of r) for (let r of i) {
		let i = Bn(e, n * t[1], r), l = Bn(e, s * t[1], r);
		a[o++] = i + c * (l - i);
	}
	return {
		values: a,
		size: [r.length, i.length]
	};
}
function zn(e, [, t], n) {
	let [r, i] = [Math.floor(e / t / n), Math.floor(e % t / n)];
	return r * t / n + i;
}
function Bn(e, t, { low: n, high: r, part: i }) {
	let a = e[t + n];
	return a + i * (e[t + r] - a);
}
function Vn(e, t) {
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
var Z = 640, Hn = 20, Un = 24, Wn = 17, Gn = 88, Kn = RegExp(`[^ ]{1,${Gn}}`, "gu"), qn = 64;
function Jn(e, t) {
	let n = e.map((e, n) => Yn(e, t, n)), r = 40 + e.length * Z + (e.length - 1) * Un, i = 40 + Math.max(...n.map((e) => e.height));
	return `<svg xmlns="http://www.w3.org/2000/svg" width="${r}" height="${i}" viewBox="0 0 ${r} ${i}" font-family="system-ui, sans-serif" font-size="13" fill="#1b1f24"><rect width="${r}" height="${i}" fill="#ffffff"/>${n.map(({ text: e }, t) => `<g transform="translate(${Hn + t * 664} ${Hn})">${e}</g>`).join("")}</svg>`;
}
function Yn(e, t, n) {
	let [r, i] = e.image.input_size, a = Z * r / i, o = `clip-${n}`, s = (t) => {
		let [n, r] = Ct(t, e.image);
		return `scale(${Z * r / t.grid[1]} ${a * n / t.grid[0]})`;
	}, c = rr(e);
	return {
		text: [
			`<clipPath id="${o}"><rect width="${Z}" height="${a}"/></clipPath>`,
			`<g clip-path="url(#${o})"><rect width="${Z}" height="${a}" fill="#888888"/>`,
			Xn(e, a, t.opacity > 0),
			`<g transform="${s(e.shown)}">${Zn(e, t)}${er(e)}</g>`,
			`<g transform="${s(e.asked)}">${tr(e)}</g></g>`,
			nr(e, a + 14),
			...c.map((e, t) => ar(e, a + 62 + t * Wn))
		].join(""),
		height: a + 62 + c.length * Wn
	};
}
function Xn({ image: e }, t, n) {
	let r = n ? " style=\"filter: grayscale(0.8)\"" : "";
	if (!e.original || !e.box || !e.original_size) return `<image href="${sr(e.seen)}" width="${Z}" height="${t}" preserveAspectRatio="none"${r}/>`;
	let [i, a, o, s] = e.box, [c, l] = [Z / (o - i), t / (s - a)], u = `x="${-i * c}" y="${-a * l}" width="${e.original_size[1] * c}" height="${e.original_size[0] * l}"`;
	return `<image href="${sr(e.original)}" ${u} preserveAspectRatio="none"${r}/>`;
}
function Zn(e, t) {
	let n = X(e), { grid: r } = e.shown;
	if (e.tinted.length > 0) return Qn(e);
	if (!n) return "";
	let i = t.smooth && !e.mask ? 4 : 1, { values: a, size: o } = i > 1 ? Rn(n.values, r, i) : {
		values: n.values,
		size: r
	}, s = 1 / i, c = pn(e), l = Array.from(a, (t, n) => {
		if (Number.isNaN(t) || c && !c[zn(n, o, i)]) return "";
		let [r, a] = [n % o[1] * s, Math.floor(n / o[1]) * s];
		return `<rect x="${r}" y="${a}" width="${s}" height="${s}" fill="${or(e, e.scale.position(t))}"/>`;
	});
	return `<g opacity="${t.opacity}" shape-rendering="crispEdges">${l.join("")}</g>`;
}
function Qn(e) {
	return On(e.tinted, e.shown.grid[1]).map(({ x: e, y: t, width: n, colour: r, opacity: i }) => `<rect x="${e}" y="${t}" width="${n}" height="1" fill="${r}" fill-opacity="${i.toFixed(3)}"/>`).join("");
}
function $n(e, t, n = 2) {
	return `<g fill="none"><${e} stroke="#000000" stroke-width="${2 * n}" vector-effect="non-scaling-stroke"/><${e} stroke="${t}" stroke-width="${n}" vector-effect="non-scaling-stroke"/></g>`;
}
function er({ window: e, mask: t, shown: n }) {
	return (e ? $n(`path d="${Pn(e, n.grid)}"`, "#ffffff", 1.2) : "") + (t ? $n(`path d="${Pn(t.chosen, n.grid)}"`, "#ffffff") : "");
}
function tr(e) {
	let t = (t, n) => {
		let r = G(t, e.look);
		if (r?.kind !== "patch") return "";
		let i = W(r, e.look.layout, e.asked);
		return $n(`rect x="${i.column}" y="${i.row}" width="1" height="1"`, n);
	};
	return e.tinted.length > 0 ? e.tinted.map(({ query: e, colour: n }) => t(e, n)).join("") : t(e.query, "#ffffff");
}
function nr(e, t) {
	if (!X(e) || e.tinted.length > 0) return "";
	let n = Z / qn, r = Array.from({ length: qn }, (r, i) => `<rect x="${i * n}" y="${t}" width="10.5" height="10" fill="${or(e, (i + .5) / qn)}"/>`), i = e.scale.ticks.map(({ position: e, label: n }) => {
		let r = e < .05 ? "start" : e > .95 ? "end" : "middle";
		return `<text x="${e * Z}" y="${t + 26}" text-anchor="${r}" font-size="12">${sr(n)}</text>`;
	});
	return r.join("") + i.join("");
}
function rr(e) {
	let { image: t, look: n, mask: r, tinted: i } = e, { patches: a } = St(e.shown), o = xn(e), s = i.length === 0 && X(e) !== null;
	return [
		{ text: e.caption },
		{ text: r ? `Outlined: ${mn(r, a)}.` : "" },
		...i.map(({ words: e, colour: t, mask: n, map: r }) => ({
			text: `${e}: ${mn(n, a)}, at most ${B(r.maximum)}.`,
			colour: t
		})),
		{ text: s ? `Colours: ${e.scale.words}. ${o ? `${o}.` : ""}` : "" },
		{ text: `${t.name}. ${t.note ? `${t.note}. ` : ""}${n.label}, ${n.layout.description}; verified to ${n.verification_error.toExponential(0)}. vitscope.` }
	].flatMap(ir);
}
function ir({ text: e, ...t }) {
	let n = [];
	for (let r of e.match(Kn) ?? []) {
		let e = n.at(-1), i = `${e?.text} ${r}`;
		!e || i.length > Gn ? n.push({
			text: r,
			...e ? {} : t
		}) : e.text = i;
	}
	return n;
}
function ar({ text: e, colour: t }, n) {
	return `<text y="${n}" xml:space="preserve">${t ? `<tspan fill="${t}">■</tspan> ` : ""}${sr(e)}</text>`;
}
function or(e, t) {
	let n = He(e.colours), r = 3 * Ue(t);
	return `#${[...n.subarray(r, r + 3)].map((e) => e.toString(16).padStart(2, "0")).join("")}`;
}
function sr(e) {
	return e.replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "").replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\"", "&quot;");
}
// src/export/download.ts
var cr = 2;
function lr(e, t) {
	_r(new Blob([Jn(e, t)], { type: "image/svg+xml" }), gr(e, "svg"));
}
async function ur(e, t) {
	let n = URL.createObjectURL(new Blob([Jn(e, t)], { type: "image/svg+xml" }));
	try {
		let t = new Image();
		t.src = n, await t.decode();
		let r = document.createElement("canvas");
		r.width = t.naturalWidth * cr, r.height = t.naturalHeight * cr, r.getContext("2d")?.drawImage(t, 0, 0, r.width, r.height);
		let i = await new Promise((e) => r.toBlob(e, "image/png"));
		if (!i) throw Error("this browser could not draw the picture; download the SVG instead");
		_r(i, gr(e, "png"));
	} finally {
		URL.revokeObjectURL(n);
	}
}
function dr(e) {
	_r(new Blob([fr(e)], { type: "text/csv" }), gr(e, "csv"));
}
function fr(e) {
	return wn([
		"picture",
		"model",
		"map",
		"token",
		"row",
		"column",
		"weight",
		"times_uniform"
	], e.flatMap((e) => pr(e).flatMap(({ map: t, caption: n }) => mr(e, t, n))));
}
function pr(e) {
	if (e.tinted.length > 0) return e.tinted;
	let t = X(e);
	return t ? [{
		map: t,
		caption: e.caption
	}] : [];
}
function mr({ image: e, look: t, shown: n }, r, i) {
	let a = n.grid[1], o = (n, a, o) => [
		e.name,
		t.label,
		i,
		n,
		...a,
		hr(o),
		hr(o / r.uniform)
	];
	return [...Sn(r).map(({ name: e, weight: t }) => o(e, ["", ""], t)), ...Array.from(r.values, (e, t) => o("patch", [Math.floor(t / a), t % a], e)).filter((e, t) => !Number.isNaN(r.values[t]))];
}
function hr(e) {
	return Number(e.toPrecision(7));
}
function gr(e, t) {
	return `${[...(e[0]?.image.name ?? "").replace(/\.[a-z0-9]{1,5}$/i, "").replace(/[^\p{L}\p{N}._-]+/gu, "_").replace(/^\.+/, "")].slice(0, 60).join("") || "map"}-vitscope.${t}`;
}
function _r(e, t) {
	let n = document.createElement("a");
	n.href = URL.createObjectURL(e), n.download = t, n.click(), setTimeout(() => URL.revokeObjectURL(n.href), 6e4);
}
// src/state/state.ts
function vr(e) {
	let t = K(e), n = t.findIndex((e) => e.look === 1);
	return {
		shown: 0,
		compared: e.compare && t.length > 1 ? n > 0 ? n : 1 : null,
		difference: !1,
		layer: xr(e, 0),
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
function yr(e, t, n) {
	if (e.locked.includes(t)) {
		let r = e.locked.filter((e) => e !== t);
		return { locked: n ? r : e.locked.length > 1 ? [t] : [] };
	}
	return n ? { locked: [...e.locked, t].slice(-5) } : { locked: [t] };
}
function br(e, t, n) {
	return {
		layer: t,
		head: n,
		method: e.method === "rollout" ? "row" : e.method
	};
}
function xr(e, t) {
	let { layers: n } = q(e, t), { attention: r } = J(e, t), i = n.map((e, t) => !!r[t]).lastIndexOf(!0);
	return i >= 0 ? i : n.length - 1;
}
// src/state/hash.ts
var Sr = {
	shown: jr((e) => K(e).length),
	compared: {
		write: (e) => e === null ? "none" : String(e),
		read: (e, t) => e === "none" ? null : Nr(e, K(t).length)
	},
	difference: kr(),
	layer: Mr((e, t) => q(e, t.shown).layers.length),
	head: Mr((e, t) => Math.max(...q(e, t.shown).layers.map((e) => e.heads))),
	method: Or([
		"row",
		"mask",
		"rollout"
	]),
	direction: Or(["from", "to"]),
	locked: {
		write: (e) => e.join(";"),
		read: (e, t, n) => {
			let r = e.split(";").filter((e) => G(e, q(t, n.shown)));
			return [...new Set(r)].slice(0, 5);
		}
	},
	scale: Or([
		"linear",
		"uniform",
		"logarithmic",
		"shared"
	]),
	ceiling: Ar(1, 1e3),
	colours: Or(ze),
	smooth: kr(),
	opacity: Ar(0, 1),
	mass: Ar(.01, 1),
	start: jr((e, t) => q(e, t.shown).layers.length),
	sort: Or([
		"none",
		"distance",
		"entropy",
		"prefix"
	]),
	reversed: kr(),
	isolated: kr(),
	rescale: kr()
};
function Cr(e, t) {
	let n = {
		...Tr(t, e.shown),
		shown: vr(t).shown
	}, r = Object.keys(Sr).flatMap((t) => {
		let r = Er(t, e);
		return r === Er(t, n) ? [] : [`${t}=${encodeURIComponent(r).replaceAll("%2C", ",")}`];
	});
	return r.length > 0 ? `#${r.join("&")}` : "";
}
function wr(e, t) {
	let n = new URLSearchParams(e.replace(/^#/, "")), r = Tr(t, Sr.shown.read(n.get("shown") ?? "", t, vr(t)) ?? vr(t).shown);
	for (let e of Object.keys(Sr)) {
		let i = n.get(e);
		i !== null && Dr(r, e, Sr[e].read(i, t, r));
	}
	let i = J(t, r.shown);
	return r.method === "rollout" && !i.rollout ? {
		...r,
		method: "row"
	} : r;
}
function Tr(e, t) {
	return {
		...vr(e),
		shown: t,
		layer: xr(e, t)
	};
}
function Er(e, t) {
	return Sr[e].write(t[e]);
}
function Dr(e, t, n) {
	n !== void 0 && (e[t] = n);
}
function Or(e) {
	return {
		write: (e) => e,
		read: (t) => e.find((e) => e === t)
	};
}
function kr() {
	return {
		write: (e) => e ? "1" : "0",
		read: (e) => e === "1"
	};
}
function Ar(e, t) {
	return {
		write: String,
		read: (n) => {
			let r = n.trim() === "" ? NaN : Number(n);
			return r >= e && r <= t ? r : void 0;
		}
	};
}
function jr(e) {
	return {
		write: String,
		read: (t, n, r) => Nr(t, e(n, r))
	};
}
function Mr(e) {
	return {
		write: String,
		read: (t, n, r) => t === "mean" ? "mean" : Nr(t, e(n, r))
	};
}
function Nr(e, t) {
	return /^\d{1,6}$/.test(e) && Number(e) < t ? Number(e) : void 0;
}
// src/engine/check.ts
function Pr(e, t) {
	let n = J(e.payload, t).attention.flatMap((e) => e ? [e.error] : []), r = e.decoded(t).map((e) => e.selfCheck());
	return {
		python: Math.max(0, ...n),
		here: r.length > 0 ? Math.max(...r) : null,
		layers: r.length
	};
}
// node_modules/preact/jsx-runtime/dist/jsxRuntime.mjs
var Fr = Symbol.for("pv"), Ir = 0;
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
		constructor: Fr,
		__v: --Ir,
		__i: -1,
		__u: 0
	};
	return (a || o) && (u.__source = a, u.__self = o), e.vnode && e.vnode(u), u;
}
// src/components/fields.tsx
function Lr(e) {
	let t = De();
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
function Rr(e) {
	let t = De();
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
function zr(e) {
	let t = De();
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
function Br(e) {
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
var Vr = [
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
], Hr = [
	2,
	5,
	10,
	20,
	50,
	100
];
function Ur(e) {
	return /* @__PURE__ */ Q("section", {
		class: "controls",
		"aria-label": "What is shown",
		children: [/* @__PURE__ */ Q(Wr, { ...e }), /* @__PURE__ */ Q(Gr, { ...e })]
	});
}
function Wr({ look: e, image: t, state: n, query: r, update: i, lock: a }) {
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
				}), jt(e).map((e) => /* @__PURE__ */ Q("button", {
					type: "button",
					title: l ? "the rollout starts from the model’s readout" : e.title,
					disabled: l,
					"aria-pressed": !l && r === e.query,
					onClick: (t) => a(e.query, t.shiftKey),
					children: e.label
				}, e.query))]
			}),
			/* @__PURE__ */ Q(Lr, {
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
				children: /* @__PURE__ */ Q(Lr, {
					legend: "Method",
					value: o,
					options: c,
					onChange: s
				})
			}),
			(n.method === "mask" || n.locked.length > 1) && /* @__PURE__ */ Q(zr, {
				label: "Mass",
				least: .05,
				most: 1,
				step: .05,
				value: n.mass,
				words: B(n.mass),
				onChange: (e) => i({ mass: e })
			}),
			n.method === "rollout" && /* @__PURE__ */ Q(zr, {
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
function Gr({ state: e, update: t }) {
	return /* @__PURE__ */ Q("div", {
		class: "control-row",
		"data-tour": "scale",
		children: [
			/* @__PURE__ */ Q(Rr, {
				label: "Scale",
				value: e.scale,
				options: Vr,
				onChange: (e) => t({ scale: e })
			}),
			e.scale === "uniform" && /* @__PURE__ */ Q(Rr, {
				label: "up to",
				value: String(e.ceiling),
				options: Hr.map((e) => ({
					value: String(e),
					label: `${e}×`
				})),
				onChange: (e) => t({ ceiling: Number(e) })
			}),
			/* @__PURE__ */ Q(Rr, {
				label: "Colours",
				value: e.colours,
				options: ze.map((e) => ({
					value: e,
					label: e
				})),
				onChange: (e) => t({ colours: e })
			}),
			/* @__PURE__ */ Q(zr, {
				label: "Opacity",
				least: 0,
				most: 1,
				step: .05,
				value: e.opacity,
				words: `${Math.round(100 * e.opacity)} %`,
				onChange: (e) => t({ opacity: e })
			}),
			/* @__PURE__ */ Q(Br, {
				label: "Smooth",
				title: "interpolate between patch centres; the numbers stay those of the patches",
				checked: e.smooth,
				onChange: (e) => t({ smooth: e })
			})
		]
	});
}
// src/state/pictures.ts
function Kr(e, t, n, r) {
	let i = qr(e, t, n);
	if (t.compared === null) return {
		shown: n,
		...i
	};
	if (r) return { compared: n };
	let a = K(e)[t.compared]?.look ?? 0;
	return {
		shown: n,
		compared: (a === (K(e)[n]?.look ?? 0) ? t.compared : zt(e, n, a)) ?? t.compared,
		...i
	};
}
function qr(e, t, n) {
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
function Jr(e, t) {
	let n = K(e);
	return zt(e, t, ((n[t]?.look ?? 0) + 1) % e.looks.length) ?? (t + 1) % n.length;
}
// src/components/Picture.tsx
function Yr({ image: e }) {
	let t = Xr(e);
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
function Xr(e) {
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
function Zr({ payload: e, state: t, update: n }) {
	let [r, i] = L(!1), a = K(e);
	if (a.length < 2) return null;
	let o = (i, a) => n(Kr(e, t, i, a || r));
	return /* @__PURE__ */ Q("section", {
		class: "filmstrip",
		"aria-label": "Pictures",
		children: [/* @__PURE__ */ Q("div", {
			class: "filmstrip-head",
			children: [
				/* @__PURE__ */ Q(Br, {
					label: "Side by side",
					checked: t.compared !== null,
					onChange: (r) => n(r ? { compared: Jr(e, t.shown) } : {
						compared: null,
						difference: !1
					})
				}),
				t.compared !== null && /* @__PURE__ */ Q(Br, {
					label: "B shows the difference, B − A",
					checked: t.difference,
					onChange: (e) => n({ difference: e })
				}),
				t.compared !== null && /* @__PURE__ */ Q(Br, {
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
						children: /* @__PURE__ */ Q(Yr, { image: i })
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
function Qr(e) {
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
function $r(e, t, n, r) {
	let i = q(e.payload, t), a = J(e.payload, t);
	if (n === "distance") {
		let n = ri(e, r ? a.rescaled_distance : a.distance, t), o = r ? "uniform_rescaled_distance" : "uniform_distance", s = i.layers.map(({ arrangement: e }) => (e ?? i)[o]), c = r ? i.conventions.rescaled_distance : i.conventions.distance;
		return n && {
			values: n,
			baselines: s,
			convention: c
		};
	}
	if (n === "entropy") {
		let n = ri(e, a.entropy, t), { tokens: r } = St(i.layout), o = i.layers.map(({ arrangement: e }) => e?.uniform_entropy ?? Math.log(r));
		return n && {
			values: n,
			baselines: o,
			convention: i.conventions.entropy
		};
	}
	if (i.layout.prefix.length === 0) return null;
	let o = ri(e, a.prefix_mass, t);
	return o && {
		values: o,
		baselines: i.layers.map((e, t) => U(i, t).keys.prefix.length / ei(i, e)),
		convention: `${i.conventions.prefix_mass}, summed over them`
	};
}
function ei(e, { arrangement: t }) {
	return t?.windows?.key_tokens.shape[1] ?? St(t?.keys ?? e.layout).tokens;
}
function ti(e, t) {
	let n = q(e.payload, t.shown).layers.flatMap(({ heads: e }, t) => Array.from({ length: e }, (e, n) => ({
		layer: t,
		head: n
	}))), r = ni(e, t);
	if (!r) return n;
	let i = ({ layer: e, head: t }) => r.values[e]?.[t] ?? NaN, a = n.filter((e) => !Number.isNaN(i(e))), o = t.sort === "prefix" === t.reversed ? 1 : -1;
	return a.sort((e, t) => o * (i(e) - i(t))), [...a, ...n.filter((e) => Number.isNaN(i(e)))];
}
function ni(e, t) {
	return t.sort === "none" ? null : $r(e, t.shown, t.sort, t.rescale);
}
function ri(e, t, n) {
	if (!t) return null;
	let r = e.numbers(t), [i = 0, a = 0, o = 1] = t.shape, s = (e) => r.subarray(e * o, (e + 1) * o).reduce((e, t) => e + t, 0);
	return Array.from({ length: i }, (t, r) => Array.from({ length: q(e.payload, n).layers[r]?.heads ?? a }, (e, t) => s(r * a + t)));
}
// src/components/MapCanvas.tsx
var ii = 8;
function ai({ pane: e, smoothed: t }) {
	let n = R(null);
	Te(() => {
		n.current && si(n.current, e, t);
	});
	let r = oi(e.shown, e.image);
	return /* @__PURE__ */ Q("canvas", {
		ref: n,
		class: `map ${t ? "smooth" : ""}`,
		style: r,
		"aria-hidden": "true"
	});
}
function oi(e, t) {
	let [n, r] = Ct(e, t);
	return n === 1 && r === 1 ? void 0 : {
		width: `${100 * r}%`,
		height: `${100 * n}%`
	};
}
function si(e, t, n) {
	let r = X(t), i = t.shown.grid;
	if (!r || t.tinted.length > 0) return li(e);
	let a = n && !t.mask ? ii : 1, o = a > 1 ? Rn(r.values, i, a) : {
		values: r.values,
		size: i
	}, s = pn(t), c = s && ((e) => +!!s[zn(e, o.size, a)]);
	ci(e, o.values, o.size, (e) => t.scale.position(e), He(t.colours), c);
}
function ci(e, t, [n, r], i, a, o) {
	(e.width !== r || e.height !== n) && (e.width = r, e.height = n);
	let s = e.getContext("2d");
	if (!s) return;
	let c = s.createImageData(r, n);
	We(t, i, a, c.data, o), s.putImageData(c, 0, 0);
}
function li(e) {
	e.getContext("2d")?.clearRect(0, 0, e.width, e.height);
}
// src/components/thumbnails.ts
var ui = 5;
function di(e, t, n) {
	let { gallery: r, state: i, query: a, revision: o } = t, { shown: s, direction: c, method: l, mass: u, scale: d, ceiling: f, colours: p, isolated: m, sort: h } = i;
	we(() => {
		let r = [...new Set(n.map((e) => e.layer))], a = r.indexOf(i.layer);
		a > 0 && r.unshift(...r.splice(a, 1));
		let o = r.map((n) => () => fi(e.current, t, n)), s = requestAnimationFrame(function e() {
			let t = performance.now();
			for (; o.length > 0 && performance.now() - t < ui;) o.shift()?.();
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
function fi(e, { gallery: t, state: n, query: r }, i) {
	let a = q(t.payload, n.shown), o = Array.from({ length: a.layers[i]?.heads ?? 0 }, (e, t) => t), s = {
		view: n.shown,
		layer: i,
		head: 0,
		query: r,
		direction: n.direction
	}, c = o.map((e) => Vt(t, {
		...s,
		head: e
	})), l = c.reduce((e, t) => Math.max(e, Y(t) ? t.maximum : 0), 0);
	for (let t of o) {
		let r = e?.querySelector(`[data-head="${i}·${t}"] canvas`), a = c[t];
		if (!r || (r.hidden = !Y(a), !Y(a))) continue;
		let o = sn(n, a, l), s = n.method === "mask" ? rn(a, n.mass).chosen : null, u = s ? (e) => +!!s[e] : void 0;
		ci(r, a.values, a.lattice.grid, (e) => o.position(e), He(on(a) ? "difference" : n.colours), u);
	}
}
// src/components/HeadGrid.tsx
var pi = 420, mi = [
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
function hi(e) {
	let { gallery: t, state: n, update: r } = e, i = R(null), a = q(t.payload, n.shown), o = z(() => ti(t, n), [
		t,
		n.shown,
		n.sort,
		n.reversed,
		n.rescale
	]);
	di(i, e, o);
	let s = a.layout.prefix.length > 0 ? mi : mi.filter(({ value: e }) => e !== "prefix"), c = z(() => /* @__PURE__ */ Q(gi, {
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
					/* @__PURE__ */ Q(Rr, {
						label: "Order",
						value: n.sort,
						options: s,
						onChange: (e) => r({ sort: e })
					}),
					n.sort !== "none" && /* @__PURE__ */ Q(Br, {
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
				onKeyDown: (e) => xi(e, i.current),
				children: c
			}),
			/* @__PURE__ */ Q("p", {
				class: "faint note",
				children: wi(n)
			}),
			a.omitted && /* @__PURE__ */ Q("p", {
				class: "note omitted",
				children: a.omitted
			})
		]
	});
}
function gi(e) {
	let { gallery: t, state: n, order: r, update: i } = e, a = q(t.payload, n.shown), o = Math.max(...a.layers.map((e) => e.heads)), s = ni(t, n), c = s !== null || n.isolated, l = vi(n, r, c), u = r.map((e) => /* @__PURE__ */ Q(_i, {
		place: e,
		reachable: l === `${e.layer} ${e.head}`,
		state: n,
		value: s ? Ci(n.sort, s.values[e.layer]?.[e.head]) : null,
		absent: a.layers[e.layer]?.refusal ?? a.layers[e.layer]?.absent ?? null,
		update: i
	}, `${e.layer}·${e.head}`)), d = yi(a, o);
	if (c) return /* @__PURE__ */ Q("div", {
		class: `head-grid ${n.isolated ? "isolated" : "sorted"}`,
		role: "group",
		"aria-label": "Heads",
		style: d,
		children: n.isolated ? u.filter((e, t) => bi(n, r[t])) : u
	});
	let f = (e, t, r, a) => /* @__PURE__ */ Q("button", {
		type: "button",
		class: "axis",
		tabIndex: l === `${e} ${t}` ? 0 : -1,
		title: a,
		"aria-pressed": n.method !== "rollout" && n.layer === e && n.head === t,
		onClick: () => i({
			...br(n, e, t),
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
				f(t, "mean", `L${t}`, `layer ${t} (${e.name})${Si(e)}, mean over heads`),
				...u.filter((e, n) => r[n]?.layer === t),
				...Array.from({ length: o - e.heads }, (e, n) => /* @__PURE__ */ Q("span", {}, `gap ${t} ${n}`))
			])
		]
	});
}
function _i(e) {
	let { place: t, state: n, value: r, absent: i, update: a } = e, o = `layer ${t.layer}, head ${t.head}${r ? `, ${r}` : ""}`, s = bi(n, t);
	return /* @__PURE__ */ Q("button", {
		type: "button",
		class: `thumbnail ${i ? "absent" : ""}`,
		"data-head": `${t.layer}·${t.head}`,
		"aria-pressed": s,
		"aria-label": i ? `${o}: ${i}` : o,
		title: i ? `${o}: ${i}` : `${o} · double-click to isolate`,
		tabIndex: e.reachable ? 0 : -1,
		onClick: () => a(br(n, t.layer, t.head)),
		onDblClick: () => a({
			...br(n, t.layer, t.head),
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
function vi(e, t, n) {
	if (!n && (e.layer === "mean" || e.head === "mean")) return `${e.layer} ${e.head}`;
	let r = t.find((t) => bi(e, t)) ?? t[0];
	return r ? `${r.layer} ${r.head}` : "";
}
function yi(e, t) {
	let n = e.layout.grid[1] / e.layout.grid[0], r = Math.min(64, pi / e.layers.length - 2);
	return {
		"--columns": t,
		"--aspect": n,
		"--size": `${Math.max(16, r * n)}px`
	};
}
function bi(e, t) {
	if (!t || e.method === "rollout") return !1;
	let n = (e, t) => e === "mean" || e === t;
	return n(e.layer, t.layer) && n(e.head, t.head);
}
function xi(e, t) {
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
function Si({ arrangement: e }) {
	return e?.words ? `: ${e.words}` : "";
}
function Ci(e, t) {
	return t === void 0 || Number.isNaN(t) ? null : e === "distance" ? Ye(t) : e === "entropy" ? `${t.toFixed(2)} nats` : B(t);
}
function wi(e) {
	return `Thumbnails: ${{
		linear: "each from 0 to its own maximum",
		shared: "each layer’s from 0 to the largest weight in any of its heads",
		uniform: `all from 0 to ${e.ceiling} times uniform`,
		logarithmic: "each over three decades below its own maximum"
	}[e.scale]}. Choose a header for the mean, double-click a head to isolate it.`;
}
// src/numbers/read.ts
var Ti = {
	int16: 2,
	float16: 2,
	float32: 4
};
function Ei(e, t) {
	let n = Di(e.shape);
	return Oi(e, n, t.byteLength), ki[e.dtype](t, e.offset, n);
}
function Di(e) {
	return e.reduce((e, t) => e * t, 1);
}
function Oi({ block: e, offset: t, dtype: n, shape: r }, i, a) {
	let o = Ti[n];
	if (o === void 0) throw Error(`block ${e}: found numbers of type "${n}", expected int16, float16 or float32`);
	if (t < 0 || t + i * o > a) throw Error(`block ${e}: (${r.join(", ")}) ${n} from byte ${t} need ${t + i * o} bytes, found ${a}; the page is cut short, make it again`);
}
var ki = {
	int16: Ai,
	float16: Mi,
	float32: ji
};
function Ai(e, t, n) {
	let r = t % 2 == 0 ? new Int16Array(e, t, n) : new Int16Array(e.slice(t, t + 2 * n));
	return Float32Array.from(r);
}
function ji(e, t, n) {
	return t % 4 == 0 ? new Float32Array(e, t, n) : new Float32Array(e.slice(t, t + 4 * n));
}
function Mi(e, t, n) {
	let r = t % 2 == 0 ? new Uint16Array(e, t, n) : new Uint16Array(e.slice(t, t + 2 * n)), i = Pi(), a = new Float32Array(n);
	for (let e = 0; e < n; e++) a[e] = i[r[e]];
	return a;
}
var Ni = null;
function Pi() {
	return Ni ??= Float32Array.from({ length: 65536 }, (e, t) => Fi(t)), Ni;
}
function Fi(e) {
	let t = e & 32768 ? -1 : 1, n = e >> 10 & 31, r = e & 1023;
	return n === 0 ? t * r * 2 ** -24 : n === 31 ? r ? NaN : t * Infinity : t * (1 + r / 1024) * 2 ** (n - 15);
}
// src/attention/size.ts
function $(e, t, ...n) {
	if (t.length === n.length && n.every((e, n) => e.includes(t[n]))) return;
	let r = n.map((e) => [...new Set(e)].join(" or ")).join(", ");
	throw Error(`${e}: found shape (${t.join(", ")}), expected (${r}); make the page again`);
}
// src/attention/bias.ts
function Ii(e, t, n) {
	return e.form === "windows" ? new zi(e, t, n) : e.form === "dense" ? new Ri(e.term, t, n) : new Bi(e, t, n);
}
function Li(e) {
	return e.form === "relative" ? [
		e.table,
		e.from_prefix,
		e.to_prefix
	] : e.form === "dense" ? [e.term] : [e.term, e.kinds];
}
var Ri = class {
	term;
	headStride;
	queryStride;
	constructor(e, { heads: t, queries: n, keys: r }, i) {
		$("dense bias", e.shape, [1, t], [1, n], [r]);
		let [a, o] = e.shape;
		this.term = i(e), this.queryStride = o === 1 ? 0 : r, this.headStride = a === 1 ? 0 : o * r;
	}
	addRow(e, t, n) {
		let r = e * this.headStride + t * this.queryStride;
		for (let e = 0; e < n.length; e++) n[e] += this.term[r + e];
	}
	addColumn(e, t, n) {
		let r = e * this.headStride + t;
		for (let e = 0; e < n.length; e++, r += this.queryStride) n[e] += this.term[r];
	}
}, zi = class {
	term;
	kinds;
	heads;
	ownHeads;
	constructor(e, t, n) {
		let [r = 0, i = 0, ...a] = e.term.shape, [o = 1] = e.kinds.shape;
		this.heads = t.heads / o, this.ownHeads = i, $("bias of windows", [i], [1, this.heads]);
		let s = {
			...e.term,
			shape: [r * i, ...a]
		};
		this.term = new Ri(s, {
			...t,
			heads: r * i
		}, n), this.kinds = n(e.kinds).slice();
	}
	addRow(e, t, n) {
		this.term.addRow(this.termOf(e), t, n);
	}
	addColumn(e, t, n) {
		this.term.addColumn(this.termOf(e), t, n);
	}
	termOf(e) {
		return this.kinds[Math.floor(e / this.heads)] * this.ownHeads + (this.ownHeads === 1 ? 0 : e % this.heads);
	}
}, Bi = class {
	size;
	table;
	fromPrefix;
	toPrefix;
	tableHead;
	fromHead;
	toHead;
	constructor(e, t, n) {
		this.size = t;
		let { heads: r, prefix: i, keys: a, grid: o } = t, [s, c] = [2 * o[0] - 1, 2 * o[1] - 1];
		$("relative bias, table", e.table.shape, [1, r], [s], [c]), $("relative bias, from_prefix", e.from_prefix.shape, [1, r], [i], [a]), $("relative bias, to_prefix", e.to_prefix.shape, [1, r], [a - i], [i]), this.table = n(e.table), this.fromPrefix = n(e.from_prefix), this.toPrefix = n(e.to_prefix), this.tableHead = e.table.shape[0] === 1 ? 0 : s * c, this.fromHead = e.from_prefix.shape[0] === 1 ? 0 : i * a, this.toHead = e.to_prefix.shape[0] === 1 ? 0 : (a - i) * i;
	}
	addRow(e, t, n) {
		let { prefix: r, keys: i } = this.size;
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
		let { prefix: r, keys: i } = this.size, a = e * this.fromHead + t;
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
}, Vi = class {
	queries;
	keys;
	keyBias;
	logNormaliser;
	bias;
	dim;
	queryCount;
	keyCount;
	rowLogits;
	columnLogits;
	constructor(e, t, n) {
		let { heads: r, queries: i, keys: a } = t;
		this.dim = e.queries.shape[2] ?? 0, this.queryCount = i, this.keyCount = a, $("queries", e.queries.shape, [r], [i], [this.dim]), $("keys", e.keys.shape, [r], [a], [this.dim]), $("key_bias", e.key_bias.shape, [r], [a]), $("log_normaliser", e.log_normaliser.shape, [r], [i]), this.keys = n(e.keys), this.queries = n(e.queries), e.steps && ($("steps", e.steps.shape, [r], [this.dim]), this.queries = Hi(this.queries, n(e.steps), t, this.dim)), this.keyBias = n(e.key_bias).slice(), this.logNormaliser = n(e.log_normaliser).slice(), this.bias = e.bias && Ii(e.bias, t, n), this.rowLogits = new Float64Array(a), this.columnLogits = new Float64Array(i);
	}
	row(e, t, n) {
		let { rowLogits: r, queryCount: i, keyCount: a, dim: o, keyBias: s } = this, c = e * a;
		Ui(this.queries, (e * i + t) * o, this.keys, c * o, o, r);
		for (let e = 0; e < a; e++) r[e] += s[c + e];
		this.bias?.addRow(e, t, r), Wi(r, n);
	}
	column(e, t, n) {
		let { columnLogits: r, queryCount: i, keyCount: a, dim: o, logNormaliser: s } = this, c = e * i, l = this.keyBias[e * a + t];
		Ui(this.keys, (e * a + t) * o, this.queries, c * o, o, r), this.bias?.addColumn(e, t, r);
		for (let e = 0; e < i; e++) n[e] = Math.exp(r[e] + l - s[c + e]);
	}
};
function Hi(e, t, { heads: n, queries: r }, i) {
	let a = new Float32Array(e.length);
	for (let o = 0; o < n; o++) for (let n = 0; n < r; n++) {
		let s = (o * r + n) * i;
		for (let n = 0; n < i; n++) a[s + n] = e[s + n] * t[o * i + n];
	}
	return a;
}
function Ui(e, t, n, r, i, a) {
	let o = e.subarray(t, t + i), s = i - i % 4, c = r;
	for (let e = 0; e < a.length; e++) {
		let t = 0, r = 0, l = 0, u = 0, d = 0;
		for (; d < s; d += 4, c += 4) t += o[d] * n[c], r += o[d + 1] * n[c + 1], l += o[d + 2] * n[c + 2], u += o[d + 3] * n[c + 3];
		for (; d < i; d++, c++) t += o[d] * n[c];
		a[e] = t + r + (l + u);
	}
}
function Wi(e, t) {
	let n = -Infinity;
	for (let t = 0; t < e.length; t++) e[t] > n && (n = e[t]);
	let r = 0;
	for (let t = 0; t < e.length; t++) r += e[t] = Math.exp(e[t] - n);
	for (let n = 0; n < e.length; n++) t[n] = e[n] / r;
}
// src/attention/weights.ts
var Gi = class {
	weights;
	queries;
	keys;
	constructor(e, t, n) {
		this.queries = t.queries, this.keys = t.keys, $("weights", e.weights.shape, [t.heads], [t.queries], [t.keys]), this.weights = n(e.weights);
	}
	row(e, t, n) {
		let r = (e * this.queries + t) * this.keys;
		n.set(this.weights.subarray(r, r + this.keys));
	}
	column(e, t, n) {
		let r = e * this.queries * this.keys + t;
		for (let e = 0; e < this.queries; e++, r += this.keys) n[e] = this.weights[r];
	}
}, Ki = class {
	tokens;
	own;
	places;
	constructor(e, t, n) {
		this.own = e.shape[1] ?? 0, this.tokens = Int32Array.from(n(e)), this.places = Array.from({ length: t }, () => []), this.tokens.forEach((e, n) => {
			if (e >= t) throw Error(`found token ${e} of ${t} in a window; make the page again`);
			e >= 0 && this.places[e].push(n);
		});
	}
	placesOf(e) {
		return (this.places[e] ?? []).map((e) => ({
			window: Math.floor(e / this.own),
			position: e % this.own
		}));
	}
	times(e) {
		return this.places[e]?.length ?? 0;
	}
	of(e) {
		return this.tokens.subarray(e * this.own, (e + 1) * this.own);
	}
};
function qi({ query_tokens: e, key_tokens: t, allowed: n }) {
	return [
		e,
		t,
		...n ? [n.kinds, n.masks] : []
	];
}
var Ji = class {
	kinds;
	bytes;
	queries;
	width;
	constructor({ kinds: e, masks: t }, n) {
		this.kinds = n(e).slice(), this.bytes = n(t).slice(), this.queries = t.shape[1] ?? 0, this.width = t.shape[2] ?? 0;
	}
	allows(e, t, n) {
		let r = (this.kinds[e] * this.queries + t) * this.width + (n >> 3);
		return (this.bytes[r] >> 7 - (n & 7) & 1) == 1;
	}
}, Yi = class {
	sizes;
	queries;
	keys;
	count;
	masks;
	constructor(e, t, n) {
		this.sizes = t, this.queries = new Ki(e.query_tokens, t.queries, n), this.keys = new Ki(e.key_tokens, t.keys, n), this.count = e.query_tokens.shape[0] ?? 0, this.masks = e.allowed && new Ji(e.allowed, n);
	}
	reach(e, t) {
		let [n, r] = t === "from" ? [this.queries, this.keys] : [this.keys, this.queries], i = new Uint8Array(t === "from" ? this.sizes.keys : this.sizes.queries);
		for (let { window: a, position: o } of n.placesOf(e)) r.of(a).forEach((e, n) => {
			let [r, s] = t === "from" ? [o, n] : [n, o];
			e >= 0 && (this.masks?.allows(a, r, s) ?? !0) && (i[e] = 1);
		});
		return i;
	}
}, Xi = class {
	rows;
	windows;
	heads;
	ownRow;
	ownColumn;
	constructor(e, t, n) {
		this.rows = e, this.windows = t, this.heads = n, this.ownRow = new Float32Array(t.keys.own), this.ownColumn = new Float32Array(t.queries.own);
	}
	row(e, t, n) {
		let { queries: r, keys: i } = this.windows;
		n.fill(0);
		for (let { window: a, position: o } of r.placesOf(t)) this.rows.row(a * this.heads + e, o, this.ownRow), i.of(a).forEach((e, i) => {
			e >= 0 && (n[e] += this.ownRow[i] / r.times(t));
		});
	}
	column(e, t, n) {
		let { queries: r, keys: i } = this.windows;
		n.fill(0);
		for (let { window: a, position: o } of i.placesOf(t)) this.rows.column(a * this.heads + e, o, this.ownColumn), r.of(a).forEach((e, t) => {
			e >= 0 && (n[e] += this.ownColumn[t] / r.times(e));
		});
	}
};
// src/attention/layer.ts
async function Zi(e, t, n, r = null) {
	let i = r ?? {
		queries: t,
		keys: t,
		windows: null
	}, a = i.windows ? qi(i.windows) : [], o = await $i([...Qi(e), ...a], n);
	return new ea(e, i, (e) => Ei(e, o.get(e.block)));
}
function Qi(e) {
	let t = [e.mean_row, e.probe.row];
	if (e.form === "weights") return [...t, e.weights];
	let { queries: n, keys: r, key_bias: i, log_normaliser: a, bias: o } = e, s = o ? Li(o) : [];
	return [
		...t,
		n,
		r,
		i,
		a,
		...s
	];
}
async function $i(e, t) {
	let n = [...new Set(e.map(({ block: e }) => e))];
	return new Map(await Promise.all(n.map(async (e) => [e, await t.bytes(e)])));
}
var ea = class {
	heads;
	queries;
	keys;
	uniform;
	error;
	own;
	rows;
	windows;
	means;
	probe;
	checked = null;
	constructor(e, t, n) {
		this.heads = e.mean_row.shape[0] ?? 0, this.queries = ta(t.queries), this.keys = ta(t.keys), this.windows = t.windows && new Yi(t.windows, this, n);
		let r = {
			heads: this.heads * (this.windows?.count ?? 1),
			queries: this.windows?.queries.own ?? this.queries,
			keys: this.windows?.keys.own ?? this.keys,
			grid: t.queries.grid,
			prefix: t.queries.prefix.length
		};
		$("mean_row", e.mean_row.shape, [this.heads], [this.keys]), $("probe", e.probe.row.shape, [r.keys]), this.uniform = 1 / r.keys, this.error = e.error, this.own = e.form === "product" ? new Vi(e, r, n) : new Gi(e, r, n), this.rows = this.windows ? new Xi(this.own, this.windows, this.heads) : this.own, this.means = n(e.mean_row).slice(), this.probe = {
			...e.probe,
			row: n(e.probe.row).slice()
		};
	}
	row(e, t, n) {
		return this.check(e, t, this.queries, "query"), na(n, this.keys), this.rows.row(e, t, n), n;
	}
	column(e, t, n) {
		return this.check(e, t, this.keys, "key"), na(n, this.queries), this.rows.column(e, t, n), n;
	}
	meanRow(e) {
		return ra(e, this.heads, "head"), this.means.subarray(e * this.keys, (e + 1) * this.keys);
	}
	reach(e, t) {
		return this.windows && this.windows.count > 1 ? this.windows.reach(e, t) : null;
	}
	selfCheck() {
		return this.checked ??= this.compareProbe(), this.checked;
	}
	compareProbe() {
		let { head: e, query: t, row: n } = this.probe, r = new Float32Array(n.length);
		this.own.row(e, t, r);
		let [i, a] = [0, 0];
		for (let e = 0; e < n.length; e++) i = Math.max(i, Math.abs(r[e] - n[e])), a = Math.max(a, Math.abs(n[e]));
		return i / a;
	}
	check(e, t, n, r) {
		ra(e, this.heads, "head"), ra(t, n, r);
	}
};
function ta({ grid: e, prefix: t }) {
	return t.length + e[0] * e[1];
}
function na(e, t) {
	if (e.length !== t) throw RangeError(`found an array of ${e.length} to write ${t} weights to`);
}
function ra(e, t, n) {
	if (!(Number.isInteger(e) && e >= 0 && e < t)) throw RangeError(`${n} ${e} does not exist: there are ${t}, from 0`);
}
// src/engine/gallery.ts
var ia = { kind: "pending" }, aa = class {
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
		let n = Ei(e, this.smallBytes);
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
			if (await oa(), !this.views.has(e)) return;
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
		return r === null ? J(this.payload, e).attention[t] ? ia : {
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
				let i = { bytes: (e) => this.fetch(e) }, { layout: a, layers: o } = q(this.payload, e), s = await Zi(r, a, i, o[t]?.arrangement);
				n.set(t, {
					kind: "ready",
					layer: s
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
function oa() {
	return new Promise((e) => setTimeout(e, 0));
}
// src/components/hooks.ts
var sa = 6e3, ca = 150;
function la(e, t) {
	let [n, r] = L(null), [i, a] = L(0), [o, s] = L("");
	return we(() => {
		let n = new aa(e, t, () => a((e) => e + 1));
		n.open().then(() => r(n), (e) => s(e instanceof Error ? e.message : String(e)));
	}, [e, t]), {
		gallery: n,
		revision: i,
		failure: o
	};
}
function ua(e, t, n, r) {
	let i = R(e?.read()), a = R(0);
	we(() => (a.current = window.setTimeout(() => {
		e && e.read() === i.current && (e.write(Cr(t, n)), i.current = e.read());
	}, ca), () => clearTimeout(a.current)), [
		e,
		t,
		n
	]), we(() => {
		if (!e) return;
		let t = () => {
			clearTimeout(a.current), i.current = e.read(), r((t) => e.read() === Cr(t, n) ? t : wr(e.read(), n));
		};
		return addEventListener("hashchange", t), () => removeEventListener("hashchange", t);
	}, [
		e,
		n,
		r
	]);
}
function da() {
	let [e, t] = L("");
	return we(() => {
		let e = setTimeout(() => t(""), sa);
		return () => clearTimeout(e);
	}, [e]), [e, t];
}
// node_modules/preact/compat/dist/compat.mjs
var fa = Object.assign;
function pa(e, t) {
	for (var n in e) if (n != "__source" && e[n] !== t[n]) return !0;
	for (var r in t) if (r != "__source" && !(r in e)) return !0;
	return !1;
}
var ma = /^(-|f[lo].*[^se]$|g.{5,}[^ps]$|z|o[pr]|(W.{5})?[lL]i.*(t|mp)$|an|(bo|s).{4}Im|sca|m.{6}[ds]|ta|c.*[st]$|wido|ini|asp|fill|st)/;
function ha(e, t) {
	function n(e) {
		var n = this.props.ref;
		return n != e.ref && n && (typeof n == "function" ? n(null) : n.current = null), t ? !t(this.props, e) || n != e.ref : pa(this.props, e);
	}
	function r(t) {
		return this.shouldComponentUpdate = n, v(e, t);
	}
	return r.displayName = "Memo(" + (e.displayName || e.name) + ")", r.prototype.isReactComponent = !0, r.type = e, r;
}
var ga = Symbol.for("react.element"), _a = /^(?:accent|alignment|arabic|baseline|cap|clip(?!PathU)|color|dominant|fill|flood|font|glyph(?!R)|horiz|image(?!S)|letter|lighting|marker(?!H|W|U)|overline|paint|pointer|shape|stop|strikethrough|stroke|text(?!L)|transform|underline|unicode|units|v|vector|vert|word|writing|x(?!C))[A-Z]/, va = /[A-Z0-9]/g, ya = typeof document < "u", ba = function(e) {
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
var xa = e.event;
e.event = function(e) {
	return xa && (e = xa(e)), e.persist = function() {}, e.isPropagationStopped = function() {
		return this.cancelBubble;
	}, e.isDefaultPrevented = function() {
		return this.defaultPrevented;
	}, e.nativeEvent = e;
};
var Sa = {
	configurable: !0,
	get: function() {
		return this.class;
	}
}, Ca = e.vnode;
e.vnode = function(e) {
	if (typeof e.type == "string") (function(e) {
		var t = e.props, n = e.type, r = {}, i = n.indexOf("-") == -1;
		for (var a in t) {
			var o = t[a];
			if (!(a == "value" && "defaultValue" in t && o == null || ya && a == "children" && n == "noscript" || a == "class" || a == "className")) {
				if (a == "style" && o && o.constructor == Object) {
					var s = void 0;
					for (var c in o) typeof o[c] != "number" || ma.test(c) || (s ||= o = fa({}, o), o[c] += "px");
				} else if (a == "defaultValue" && "value" in t && t.value == null) a = "value";
				else if (a == "download" && !0 === o) o = "";
				else if (a == "translate" && o === "no") o = !1;
				else if (a[0] == "o" && a[1] == "n") {
					var l = a.toLowerCase();
					l == "ondoubleclick" ? a = "ondblclick" : l != "onchange" || n != "input" && n != "textarea" || ba(t.type) ? l == "onfocus" ? a = "onfocusin" : l == "onblur" && (a = "onfocusout") : l = a = "oninput", l == "oninput" && r[a = l] && (a = "oninputCapture");
				} else i && _a.test(a) ? a = a.replace(va, "-$&").toLowerCase() : o === null && (o = void 0);
				r[a] = o;
			}
		}
		if (n == "select") {
			var u = r.defaultValue == null ? r.multiple && Array.isArray(r.value) ? r.value : null : r.defaultValue;
			u != null && (r.value = k(t.children).forEach(function(e) {
				e.props.selected = r.multiple ? u.indexOf(e.props.value) != -1 : u == e.props.value;
			}));
		}
		t.class && !t.className ? (r.class = t.class, Object.defineProperty(r, "className", Sa)) : t.className && (r.class = r.className = t.className), e.props = r;
	})(e);
	else if (typeof e.type == "function" && ("ref" in e.props && "prototype" in e.type && e.type.prototype.render && (e.ref = e.props.ref, delete e.props.ref), e.type.defaultProps)) {
		var t = fa({}, e.props);
		for (var n in e.type.defaultProps) t[n] === void 0 && (t[n] = e.type.defaultProps[n]);
		e.props = t;
	}
	e.ref && !("ref" in e.props) && Object.defineProperty(e.props, "ref", {
		value: e.ref,
		configurable: !0,
		writable: !0
	}), e.$$typeof = ga, Ca && Ca(e);
};
// src/components/ColourBar.tsx
var wa = 256, Ta = Float32Array.from({ length: wa }, (e, t) => t / 255);
function Ea({ pane: e }) {
	let t = R(null);
	return Te(() => {
		t.current && ci(t.current, Ta, [1, wa], (e) => e, He(e.colours));
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
function Da({ pane: e, received: t }) {
	if (!Y(e.map) || e.difference) return /* @__PURE__ */ Q("div", { class: "prefix-mass" });
	let n = Sn(e.map), r = e.tinted.at(-1), i = r ? `${r.words}: ` : "";
	if (n.length === 0) return /* @__PURE__ */ Q("div", { class: "prefix-mass" });
	let a = [...n.map(({ name: e, weight: t }) => ({
		name: Mt(e),
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
					/* @__PURE__ */ Q("b", { children: t && r === "patches" ? H(n) : B(n) })
				]
			}, e))]
		})]
	});
}
// src/components/Tints.tsx
var Oa = ha(function({ tinted: e, columns: t }) {
	return /* @__PURE__ */ Q(b, { children: On(e, t).map(({ x: e, y: t, width: n, colour: r, opacity: i }) => /* @__PURE__ */ Q("rect", {
		x: e,
		y: t,
		width: n,
		height: 1,
		fill: r,
		"fill-opacity": i
	}, `${e} ${t}`)) });
}), ka = {
	ArrowUp: [-1, 0],
	ArrowDown: [1, 0],
	ArrowLeft: [0, -1],
	ArrowRight: [0, 1]
}, Aa = 36;
function ja(e) {
	let { pane: t } = e, n = R(null), { asked: r, shown: i, look: a } = t, [o, s] = t.image.input_size, c = e.probe === null ? null : G(e.probe, a), l = c?.kind === "patch" ? W(c, a.layout, i) : null, u = (e) => {
		let r = n.current?.getBoundingClientRect() ?? new DOMRect(), [i, o] = Ct(a.layout, t.image), s = (e, t) => Math.min(t - 1, Math.max(0, Math.floor(e * t)));
		return {
			row: s((e.clientY - r.top) / r.height / i, a.layout.grid[0]),
			column: s((e.clientX - r.left) / r.width / o, a.layout.grid[1])
		};
	};
	return /* @__PURE__ */ Q("div", {
		ref: n,
		class: "stage",
		role: "application",
		"aria-roledescription": "attention map",
		"aria-label": `${e.name}: ${Pt(t.query, a, r)}`,
		"aria-describedby": e.helpId,
		tabIndex: 0,
		style: { aspectRatio: `${s} / ${o}` },
		onPointerMove: (t) => {
			let { row: n, column: r } = u(t);
			e.onPoint(Et(n, r));
		},
		onPointerLeave: () => e.onPoint(null),
		onClick: (t) => {
			let { row: n, column: r } = u(t);
			e.onLock(Et(n, r), t.shiftKey, !1);
		},
		onKeyDown: (n) => {
			let i = ka[n.key];
			if (i) e.onMove(Rt(t.query, i[0], i[1], a, r));
			else if (n.key === "Enter" || n.key === " ") e.onLock(t.query, n.shiftKey, !0);
			else if (n.key === "Escape") e.onRelease();
			else return;
			n.preventDefault(), n.stopPropagation();
		},
		children: [
			/* @__PURE__ */ Q(Yr, { image: t.image }),
			/* @__PURE__ */ Q("div", {
				class: "over",
				style: { opacity: e.opacity },
				children: /* @__PURE__ */ Q(ai, {
					pane: t,
					smoothed: e.smoothed
				})
			}),
			/* @__PURE__ */ Q("svg", {
				class: `over marks ${Math.max(...r.grid) > Aa ? "fine" : ""}`,
				viewBox: `0 0 ${r.grid[1]} ${r.grid[0]}`,
				style: oi(r, t.image),
				preserveAspectRatio: "none",
				"aria-hidden": "true",
				children: [
					/* @__PURE__ */ Q("g", {
						transform: Pa(i, r),
						children: [
							t.window && /* @__PURE__ */ Q(Ma, {
								chosen: t.window,
								grid: i.grid,
								kind: "window"
							}),
							t.mask && /* @__PURE__ */ Q(Ma, {
								chosen: t.mask.chosen,
								grid: i.grid,
								kind: ""
							}),
							t.tinted.length > 0 && /* @__PURE__ */ Q(Oa, {
								tinted: t.tinted,
								columns: i.grid[1]
							})
						]
					}),
					t.tinted.map(({ query: e, colour: n }) => /* @__PURE__ */ Q(Na, {
						query: e,
						colour: n,
						pane: t
					}, e)),
					t.tinted.length === 0 && /* @__PURE__ */ Q(Na, {
						query: t.query,
						colour: "#ffffff",
						pane: t
					}),
					l && /* @__PURE__ */ Q("g", {
						transform: Pa(i, r),
						children: /* @__PURE__ */ Q(Fa, {
							...l,
							class: "probe"
						})
					})
				]
			}),
			l && /* @__PURE__ */ Q("div", {
				class: "reading",
				children: vn(t, l.row * i.grid[1] + l.column)
			})
		]
	});
}
function Ma({ chosen: e, grid: t, kind: n }) {
	let r = Pn(e, t);
	return /* @__PURE__ */ Q(b, { children: [/* @__PURE__ */ Q("path", {
		d: r,
		class: `casing ${n}`
	}), /* @__PURE__ */ Q("path", {
		d: r,
		class: `edge ${n}`,
		stroke: "#ffffff"
	})] });
}
function Na({ query: e, colour: t, pane: n }) {
	let r = G(e, n.look);
	return r?.kind === "patch" ? /* @__PURE__ */ Q(Fa, {
		...W(r, n.look.layout, n.asked),
		class: "marker",
		colour: t
	}) : null;
}
function Pa(e, t) {
	let [n, r] = [e.patch_size[0] / t.patch_size[0], e.patch_size[1] / t.patch_size[1]];
	return n === 1 && r === 1 ? void 0 : `scale(${r} ${n})`;
}
function Fa(e) {
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
var Ia = ha(function({ pane: e, state: t, probe: n, letter: r, helpId: i, ...a }) {
	let o = e.shown.grid[0] * e.shown.grid[1], [s, c] = e.image.input_size, l = { width: `min(100%, calc(${c / s} * var(--tallest)))` };
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
			/* @__PURE__ */ Q(ja, {
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
				children: [e.map === "pending" ? "Decoding …" : e.caption, e.mask && ` Outlined: ${mn(e.mask, o)}.`]
			}),
			e.tinted.length > 0 ? /* @__PURE__ */ Q(La, {
				pane: e,
				patches: o
			}) : Y(e.map) && /* @__PURE__ */ Q(Ea, { pane: e }),
			/* @__PURE__ */ Q(Da, {
				pane: e,
				received: t.direction === "to"
			})
		]
	});
});
function La({ pane: e, patches: t }) {
	return /* @__PURE__ */ Q("ul", {
		class: "legend",
		children: e.tinted.map(({ query: e, colour: n, words: r, map: i, mask: a }) => /* @__PURE__ */ Q("li", { children: [
			/* @__PURE__ */ Q("span", {
				class: "swatch",
				style: { background: n }
			}),
			r,
			": ",
			mn(a, t),
			", at most ",
			B(i.maximum)
		] }, e))
	});
}
// src/maps/ticks.ts
function Ra(e, t) {
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
var za = 240, Ba = 150, Va = 34, Ha = 14;
function Ua({ gallery: e, state: t, update: n }) {
	let { shown: r, rescale: i } = t, [a, o, s] = z(() => [
		"distance",
		"entropy",
		"prefix"
	].map((t) => $r(e, r, t, i)), [
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
				a && /* @__PURE__ */ Q(Wa, {
					title: "Distance",
					unit: "px",
					data: a,
					state: t,
					update: n
				}),
				o && /* @__PURE__ */ Q(Wa, {
					title: "Entropy",
					unit: "nats",
					data: o,
					state: t,
					update: n
				}),
				s && /* @__PURE__ */ Q(Wa, {
					title: "Prefix mass",
					unit: "%",
					data: s,
					state: t,
					update: n
				})
			]
		}), a ? /* @__PURE__ */ Q("div", {
			class: "plot-foot",
			children: [/* @__PURE__ */ Q(Br, {
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
function Wa(e) {
	let { title: t, unit: n, data: r, state: i, update: a } = e, o = z(() => Ga(r, n), [r, n]), s = (e) => {
		let t = e.currentTarget.getBoundingClientRect(), n = {
			x: (e.clientX - t.left) / t.width * za,
			y: (e.clientY - t.top) / t.height * Ba
		}, r = qa(o.dots, n);
		r && (r.layer !== i.layer || r.head !== i.head) && a(br(i, r.layer, r.head));
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
		viewBox: `0 0 ${za} ${Ba}`,
		role: "img",
		"aria-label": `${r.convention}: every head by layer, from ${o.words(l)} to ${o.words(u)}`,
		onPointerMove: s,
		children: [
			o.ticks.map(({ y: e, label: t }) => /* @__PURE__ */ Q("g", { children: [/* @__PURE__ */ Q("line", {
				x1: Va,
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
			/* @__PURE__ */ Q("path", {
				d: o.baseline,
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
function Ga(e, t) {
	let n = t === "%" ? 100 : 1, r = e.values.flat().filter((e) => !Number.isNaN(e)), i = Math.max(...r, ...e.baselines, 1e-9) * n, a = e.values.length, o = (e) => 42 + 182 * e / Math.max(a - 1, 1), s = Ra(i, 4), c = Math.max(s.at(-1) ?? i, i), l = (e) => 124 - 116 * e * n / c, u = e.values.flatMap((e, t) => e.flatMap((e, n) => Number.isNaN(e) ? [] : [{
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
		baseline: Ka(e.baselines.map(l), o),
		words: (e) => `${H(e * n)} ${t}`
	};
}
function Ka(e, t) {
	let n = e.length > 1 ? (t(1) - t(0)) / 2 : 0;
	return `${e.flatMap((r, i) => i === 0 ? [`M${Va} ${r}`] : r === e[i - 1] ? [] : [`H${t(i) - n}V${r}`]).join("")}H232`;
}
function qa(e, t) {
	let n = null, r = Ha;
	for (let i of e) {
		let e = Math.hypot(i.x - t.x, i.y - t.y);
		e < r && ([n, r] = [i, e]);
	}
	return n;
}
// src/components/Provenance.tsx
function Ja({ payload: e, look: t, image: n, letter: r, checks: i }) {
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
						children: Qa(n.input_size)
					})] }), /* @__PURE__ */ Q("img", {
						src: n.seen,
						alt: `The model's input, made from ${n.name}`
					})] }), n.original && n.original_size && n.box && /* @__PURE__ */ Q("figure", { children: [/* @__PURE__ */ Q("figcaption", { children: ["The original ", /* @__PURE__ */ Q("span", {
						class: "faint",
						children: Qa(n.original_size)
					})] }), /* @__PURE__ */ Q(Za, { image: n })] })]
				}), /* @__PURE__ */ Q("dl", { children: [
					/* @__PURE__ */ Q("dt", { children: "picture" }),
					/* @__PURE__ */ Q("dd", { children: [n.name, n.note && ` (${n.note})`] }),
					/* @__PURE__ */ Q("dt", { children: "rows in this page" }),
					/* @__PURE__ */ Q("dd", { children: Ya(t, i) }),
					/* @__PURE__ */ Q("dt", { children: "page" }),
					/* @__PURE__ */ Q("dd", { children: [
						e.made_by,
						", format ",
						e.version
					] }),
					t.facts.map(([e, t]) => /* @__PURE__ */ Q(Xa, {
						name: e,
						value: t
					}, e))
				] })]
			}),
			/* @__PURE__ */ Q("details", { children: [/* @__PURE__ */ Q("summary", { children: "Conventions" }), /* @__PURE__ */ Q("dl", { children: a.map(([e, t]) => /* @__PURE__ */ Q(Xa, {
				name: e.replaceAll("_", " "),
				value: t
			}, e)) })] })
		]
	});
}
function Ya(e, { python: t, here: n, layers: r }) {
	let i = n === null ? "" : `; recomputed in this browser on ${r} of them: ${$a(n)}`;
	return `agree with Python’s to ${$a(t)} of a row’s or column’s maximum (${e.rows_compared})${i}`;
}
function Xa({ name: e, value: t }) {
	return /* @__PURE__ */ Q(b, { children: [/* @__PURE__ */ Q("dt", { children: e }), /* @__PURE__ */ Q("dd", { children: t })] });
}
function Za({ image: e }) {
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
function Qa([e, t]) {
	return `${e} px high, ${t} wide`;
}
function $a(e) {
	return e === 0 ? "0" : e.toExponential(1).replace("e-", "e−").replace("e+0", "");
}
// src/components/TopPatches.tsx
var eo = 10;
function to({ pane: e, letter: t }) {
	let n = X(e);
	if (!n) return null;
	let r = e.difference !== null, i = r ? qe : B;
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
			/* @__PURE__ */ Q("tbody", { children: [Cn(n, e.shown.grid[1], eo).map(({ patch: e, row: t, column: a, weight: o }) => /* @__PURE__ */ Q("tr", { children: [
				/* @__PURE__ */ Q("td", { children: t }),
				/* @__PURE__ */ Q("td", { children: a }),
				/* @__PURE__ */ Q("td", { children: i(o) }),
				!r && /* @__PURE__ */ Q("td", { children: Je(o, n.uniform) })
			] }, e)), Sn(n).map(({ name: e, weight: t }) => /* @__PURE__ */ Q("tr", {
				class: "prefix",
				children: [
					/* @__PURE__ */ Q("td", {
						colSpan: 2,
						children: Mt(e)
					}),
					/* @__PURE__ */ Q("td", { children: B(t) }),
					/* @__PURE__ */ Q("td", { children: Je(t, n.uniform) })
				]
			}, e))] })
		]
	});
}
// src/components/Tour.tsx
var no = [
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
function ro(e) {
	let { step: t, root: n, go: r, update: i } = e, a = R(null), o = no[t];
	return Te(() => {
		let t = {
			state: e.state,
			focus: document.activeElement,
			top: scrollY
		};
		return () => {
			i(t.state), scrollTo({ top: t.top }), t.focus instanceof HTMLElement && t.focus.focus({ preventScroll: !0 });
		};
	}, []), Te(() => {
		if (!o) return;
		let { method: t, ...r } = o.change ?? {};
		i({
			...r,
			...t && (t !== "rollout" || e.rollout) ? { method: t } : {}
		});
		let s = n?.querySelector(`[data-tour="${o.target}"]`);
		return s?.classList.add("toured"), s?.scrollIntoView({
			block: "nearest",
			behavior: io() ? "auto" : "smooth"
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
					no.length
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
					t + 1 < no.length && /* @__PURE__ */ Q("button", {
						type: "button",
						class: "primary",
						onClick: () => r(t + 1),
						children: "Next"
					}),
					/* @__PURE__ */ Q("button", {
						type: "button",
						class: t + 1 < no.length ? "" : "primary",
						onClick: () => r(null),
						children: t + 1 < no.length ? "Close" : "Done"
					})
				]
			})
		]
	}) : null;
}
function io() {
	return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
// src/components/App.tsx
var ao = "Point at a patch to see where it looks; click or tap to lock it. Keys: arrows move, Enter locks (with shift, adds), Esc releases.", oo = "The rollout starts from the model’s readout; point at a patch to read its weight.";
function so({ payload: e, source: t, address: n }) {
	let { gallery: r, revision: i, failure: a } = la(e, t), [o, s] = L(() => n ? wr(n.read(), e) : vr(e));
	return r ? /* @__PURE__ */ Q(co, {
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
function co({ payload: e, address: t, gallery: n, revision: r, state: i, setState: a }) {
	let [o, s] = L(null), [c, l] = L(null), [u, d] = L(""), [f, p] = da(), [m, h] = L(!1), [g, _] = L(null), [v, y] = L(null), b = De(), x = Ee((e) => a((t) => ({
		...t,
		...e
	})), [a]), S = Ee(() => {
		s(null), x({
			locked: [],
			isolated: !1
		});
	}, [x]), C = z(() => $t(n, i, o), [
		n,
		r,
		i,
		o
	]), w = z(() => en(n, i, o), [
		n,
		r,
		i,
		o
	]), T = w ? [C, w] : [C];
	ua(t, i, e, a), we(() => {
		n.prepare(i.shown), i.compared !== null && n.prepare(i.compared);
	}, [
		n,
		i.shown,
		i.compared
	]);
	let E = R(!1);
	we(() => {
		E.current && d(yn(C)), E.current = !1;
	}, [C]);
	let ee = (e) => {
		let t = (t) => tn(t, e, C);
		return {
			onPoint: (n) => {
				let r = i.locked.length > 0 || i.method === "rollout", a = n && (r ? n : Ot(n, e.asked, e.look));
				(r ? l : s)(a && t(a)), (r ? s : l)(null);
			},
			onLock: (n, r, a) => {
				i.method !== "rollout" && (E.current = a, s(null), x(yr(i, t(Ot(n, e.asked, e.look)), r || m)));
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
			run: async () => p(await lo(t, i, e))
		}] : [],
		{
			label: "PNG",
			title: "download what is shown as a picture",
			run: () => ur(T, i)
		},
		{
			label: "SVG",
			title: "download what is shown as a drawing",
			run: () => lr(T, i)
		},
		{
			label: "CSV",
			title: "download the numbers of what is shown",
			run: () => dr(T)
		}
	], O = Qt(i, o, C.look), k = {
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
			/* @__PURE__ */ Q(Qr, {
				title: e.title,
				summary: T.map(uo).join(" · "),
				actions: D
			}),
			/* @__PURE__ */ Q("main", { children: [/* @__PURE__ */ Q("div", {
				class: "pictures",
				"data-tour": "picture",
				children: [
					/* @__PURE__ */ Q("div", {
						class: "panes",
						children: T.map((e, t) => /* @__PURE__ */ Q(Ia, {
							pane: e,
							state: i,
							probe: c && tn(c, C, e),
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
							children: i.method === "rollout" ? oo : ao
						}), i.method !== "rollout" && /* @__PURE__ */ Q(Br, {
							label: "Clicks add a query, up to five",
							checked: m,
							onChange: h
						})]
					}),
					/* @__PURE__ */ Q(Zr, {
						payload: e,
						state: i,
						update: x
					})
				]
			}), /* @__PURE__ */ Q("div", {
				class: "side",
				children: [
					/* @__PURE__ */ Q(Ur, {
						...k,
						lock: (e, t) => x(yr(i, e, t || m))
					}),
					/* @__PURE__ */ Q(hi, {
						gallery: n,
						state: i,
						query: O,
						revision: r,
						update: x
					}),
					/* @__PURE__ */ Q(Ua, {
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
					children: [/* @__PURE__ */ Q(to, {
						pane: t,
						letter: w ? "AB"[r] : ""
					}), /* @__PURE__ */ Q(Ja, {
						payload: e,
						look: t.look,
						image: t.image,
						letter: w ? "AB"[r] : "",
						checks: Pr(n, t.view)
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
			g !== null && /* @__PURE__ */ Q(ro, {
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
async function lo(e, t, n) {
	let r = e.link(Cr(t, n));
	try {
		return await navigator.clipboard.writeText(r), "Link copied.";
	} catch {
		return `This browser does not let the page copy; the link is ${r}`;
	}
}
function uo({ look: e }) {
	return `${e.label}: ${e.layout.description}; attention verified to ${e.verification_error.toExponential(0)}`;
}
// src/version.ts
var fo = 1;
function po(e) {
	let { format: t, version: n } = e ?? {};
	if (t !== "vitscope-page" || n !== fo) throw Error(`found a payload of format “${String(t)}”, version ${String(n)}; expected “vitscope-page”, version ${fo}: write the page again with the vitscope that is installed`);
	return e;
}
// src/widget.tsx
var mo = 5e3, ho = { render({ model: e, el: t }) {
	t.classList.add("vitscope", "in-notebook"), t.dataset.lmSuppressShortcuts = "true";
	let n = vo(t, e.get("_picture")), r = new go(e), i = setTimeout(() => {
		n.textContent = "The interactive view needs the kernel that made it: run this cell again.";
	}, mo);
	return r.header().then((e) => {
		clearTimeout(i), t.replaceChildren(), P(/* @__PURE__ */ Q(so, {
			payload: e,
			source: r,
			address: null
		}), t);
	}).catch((e) => {
		n.textContent = `vitscope cannot show this: ${e instanceof Error ? e.message : String(e)}`;
	}), () => {
		clearTimeout(i), r.close(), P(null, t);
	};
} }, go = class {
	model;
	view = String(Math.random());
	asked = /* @__PURE__ */ new Map();
	constructor(e) {
		this.model = e, e.on("msg:custom", this.hear);
	}
	async header() {
		let [e] = await this.ask("header", 0);
		return po(JSON.parse(e.header ?? "{}"));
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
			let r = _o(e === "header", t);
			this.asked.set(r, [...this.asked.get(r) ?? [], (e, t) => n([e, t])]), this.model.send({
				want: e,
				index: t,
				view: this.view
			});
		});
	}
	hear = (e, t) => {
		if (e.view !== this.view) return;
		let n = _o(e.header !== void 0, e.index), r = this.asked.get(n) ?? [];
		this.asked.delete(n);
		for (let n of r) n(e, t);
	};
};
function _o(e, t) {
	return e ? "header" : `block ${t}`;
}
function vo(e, t) {
	let n = document.createElement("p");
	if (n.textContent = "Opening …", e.replaceChildren(n), t) {
		let n = document.createElement("img");
		n.src = t, n.alt = "A picture of what is shown here", n.style.maxWidth = "100%", e.prepend(n);
	}
	return n;
}
export { go as Kernel, ho as default };
