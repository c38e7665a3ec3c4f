/** The region of the original that the model saw, at the original's sharpness. */
import type { Image } from "../payload";

export function Picture({ image }: { image: Image }) {
  const style = place(image);
  return (
    <div class="picture">
      {style && image.original ? (
        <img src={image.original} alt="" draggable={false} style={style} />
      ) : (
        <img
          src={image.seen}
          alt=""
          draggable={false}
          style={{ left: "0", top: "0", width: "100%", height: "100%" }}
        />
      )}
    </div>
  );
}

/** Where the whole original lies, in shares of the region; null where there is no original. */
export function place(image: Image): { left: string; top: string; width: string; height: string } | null {
  if (!image.box || !image.original_size) return null;
  const [left, top, right, bottom] = image.box as [number, number, number, number];
  const [height, width] = image.original_size;
  const share = (value: number, whole: number): string => `${(100 * value) / whole}%`;
  return {
    left: share(-left, right - left),
    top: share(-top, bottom - top),
    width: share(width, right - left),
    height: share(height, bottom - top),
  };
}
