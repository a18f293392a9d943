import { useEffect, useState } from 'preact/hooks';

/** What a browser shows and never runs. */
const shown = /^(image\/(png|jpeg|gif|webp|avif)|audio\/(mpeg|mp3|wav|x-wav|ogg|webm|mp4|aac|flac))$/;

function isShown(mimeType: string): boolean {
  return shown.test(mimeType);
}

/** An object of this page's own: the policy lets nothing else in. null: it is not shown. */
export function useObjectUrl(base64: string, mimeType: string): string | null {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    const bytes = isShown(mimeType) ? bytesOf(base64) : null;
    if (bytes === null) return setUrl(null);
    const made = URL.createObjectURL(new Blob([bytes], { type: mimeType }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [base64, mimeType]);
  return url;
}

/** null: it is not base64, whatever its server says. */
export function bytesOf(base64: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}
