/** Saves what is read there as a file. */
export async function download(
  target: string,
  { type, name }: { readonly type: string; readonly name: string },
): Promise<void> {
  const reply = await fetch(target, { headers: { accept: type } });
  if (!reply.ok) throw new Error(`It cannot be read (${reply.status}).`);
  save(await reply.blob(), name);
}

export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.dataset.plain = '';
  link.click();
  URL.revokeObjectURL(link.href);
}
