/** Came with the reply and small: an icon at an address would tell somebody else who looks. */
const picture = /^data:image\/(png|jpeg|gif|webp);base64,/;
const maxIconLength = 65_536;

/** What a server shows of itself where it introduces itself; null: nothing that is shown. */
export function iconIn(result: Readonly<Record<string, unknown>> | undefined): string | null {
  const meta = result?._meta as Readonly<Record<string, unknown>> | null | undefined;
  // 2026-07-28 says it in `_meta`, the older ones in the handshake.
  const info = (result?.serverInfo ?? meta?.['io.modelcontextprotocol/serverInfo']) as
    | { readonly icons?: unknown }
    | null
    | undefined;
  const icons: readonly unknown[] = Array.isArray(info?.icons) ? info.icons.slice(0, 20) : [];
  const sources = icons.map((icon) => (icon as { readonly src?: unknown } | null)?.src);
  const fits = (src: unknown): src is string =>
    typeof src === 'string' && src.length <= maxIconLength && picture.test(src);
  return sources.find(fits) ?? null;
}
