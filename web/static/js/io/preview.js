// Small pictures of images and videos, made in this browser, and how large the originals are.

const LONGEST = 640;
const MOST_BYTES = 64 * 1024;
const QUALITIES = [0.8, 0.6, 0.4];
const SMALLER = 0.7;
const SMALLEST = 80;
const WITHIN_MS = 8_000;
// A picture is in memory as a whole while it is drawn.
const IMAGE_MOST = 64 * 1024 * 1024;
const MOMENT_S = 0.5;
const IMAGES = new Set(["image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/bmp"]);

/**
 * {width, height, preview} of a file: pixels (0: unknown) and a Blob of at most 64 KiB (null: none). Files that are
 * neither, or that this browser cannot show, have none of it. Never rejects.
 */
export async function portrait(file) {
  const nothing = { width: 0, height: 0, preview: null };
  const draw = IMAGES.has(file.type) && file.size <= IMAGE_MOST ? image : file.type.startsWith("video/") ? video : null;
  if (!draw || file.size === 0) return nothing;
  const late = new Promise((resolve) => setTimeout(resolve, WITHIN_MS, nothing));
  return Promise.race([draw(file).catch(() => nothing), late]);
}

async function image(file) {
  const bitmap = await createImageBitmap(file);
  try {
    return { width: bitmap.width, height: bitmap.height, preview: await small(bitmap, bitmap.width, bitmap.height) };
  } finally {
    bitmap.close();
  }
}

async function video(file) {
  const url = URL.createObjectURL(file);
  const element = document.createElement("video");
  try {
    element.muted = true;
    element.preload = "auto";
    element.src = url;
    await heard(element, "loadeddata");
    const { videoWidth: width, videoHeight: height } = element;
    element.currentTime = Math.min(MOMENT_S, (element.duration || 0) / 2);
    await heard(element, "seeked");
    return { width, height, preview: await small(element, width, height) };
  } finally {
    element.removeAttribute("src");
    URL.revokeObjectURL(url);
  }
}

function heard(element, event) {
  return new Promise((resolve, reject) => {
    element.addEventListener(event, resolve, { once: true });
    element.addEventListener("error", reject, { once: true });
    setTimeout(reject, WITHIN_MS);
  });
}

/** As large as fits into MOST_BYTES; null when nothing does. */
async function small(source, width, height) {
  for (let longest = LONGEST; longest >= SMALLEST; longest *= SMALLER) {
    const scale = Math.min(1, longest / Math.max(width, height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(source, 0, 0, canvas.width, canvas.height);
    for (const quality of QUALITIES) {
      const blob = (await encoded(canvas, "image/webp", quality)) ?? (await encoded(canvas, "image/jpeg", quality));
      if (blob && blob.size <= MOST_BYTES) return blob;
    }
  }
  return null;
}

/** null where the browser does not write this type. */
function encoded(canvas, type, quality) {
  return new Promise((resolve) => canvas.toBlob((blob) => resolve(blob?.type === type ? blob : null), type, quality));
}
