/** Where a page of a list that many servers make begins: at the feature with this number of this server. */
export type Cursor = { readonly serverId: string; readonly at: number };

export const firstPage: Cursor = { serverId: '', at: 0 };

export function writeCursor({ serverId, at }: Cursor): string {
  return Buffer.from(JSON.stringify([serverId, at])).toString('base64url');
}

/** null: it is none of ours. */
export function readCursor(text: string): Cursor | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (!Array.isArray(value)) return null;
    const [serverId, at] = value as unknown[];
    return typeof serverId === 'string' && Number.isSafeInteger(at) && Number(at) >= 0
      ? { serverId, at: Number(at) }
      : null;
  } catch {
    return null;
  }
}
