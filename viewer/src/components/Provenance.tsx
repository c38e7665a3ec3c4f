/** Where the numbers come from: the crop beside the original, model, weights, preprocessing, errors, conventions. */
import type { Check } from "../engine/check";
import type { Image, Look, Payload } from "../payload";

interface ProvenanceProps {
  payload: Payload;
  look: Look;
  image: Image;
  letter: string;
  checks: Check;
}

export function Provenance({ payload, look, image, letter, checks }: ProvenanceProps) {
  const conventions = Object.entries(look.conventions);
  return (
    <section class="provenance" aria-label={`Provenance${letter && ` of picture ${letter}`}`}>
      <h2>
        {letter && <span class="letter">{letter}</span>}
        Where this comes from
      </h2>
      <div class="origin">
        <div class="figures">
          <figure>
            <figcaption>
              What the model saw <span class="faint">{sizeWords(image.input_size)}</span>
            </figcaption>
            <img src={image.seen} alt={`The model's input, made from ${image.name}`} />
          </figure>
          {image.original && image.original_size && image.box && (
            <figure>
              <figcaption>
                The original <span class="faint">{sizeWords(image.original_size)}</span>
              </figcaption>
              <Original image={image} />
            </figure>
          )}
        </div>
        <dl>
          <dt>picture</dt>
          <dd>
            {image.name}
            {image.note && ` (${image.note})`}
          </dd>
          <dt>rows in this page</dt>
          <dd>{checkWords(look, checks)}</dd>
          <dt>page</dt>
          <dd>
            {payload.made_by}, format {payload.version}
          </dd>
          {look.facts.map(([name, value]) => (
            <Fact key={name} name={name} value={value} />
          ))}
        </dl>
      </div>
      <details>
        <summary>Conventions</summary>
        <dl>
          {conventions.map(([name, words]) => (
            <Fact key={name} name={name.replaceAll("_", " ")} value={words} />
          ))}
        </dl>
      </details>
    </section>
  );
}

export function checkWords(look: Look, { python, here, layers }: Check): string {
  const browser = here === null ? "" : `; recomputed in this browser on ${layers} of them: ${exponent(here)}`;
  return `agree with Python’s to ${exponent(python)} of a row’s or column’s maximum (${look.rows_compared})${browser}`;
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}

/** The original with the region that the model saw framed in it. */
function Original({ image }: { image: Image }) {
  const [height, width] = image.original_size as [number, number];
  const [left, top, right, bottom] = image.box as [number, number, number, number];
  return (
    <div class="original" style={{ aspectRatio: `${width} / ${height}` }}>
      <img src={image.original ?? ""} alt={`The original of ${image.name}, with the model's crop framed`} />
      <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
        <path
          class="outside"
          fill-rule="evenodd"
          d={`M0 0H${width}V${height}H0ZM${left} ${top}H${right}V${bottom}H${left}Z`}
        />
        <rect x={left} y={top} width={right - left} height={bottom - top} />
      </svg>
    </div>
  );
}

function sizeWords([height, width]: readonly number[]): string {
  return `${height} px high, ${width} wide`;
}

function exponent(value: number): string {
  return value === 0 ? "0" : value.toExponential(1).replace("e-", "e−").replace("e+0", "");
}
