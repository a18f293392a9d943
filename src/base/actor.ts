/** How the audit trail names an API key that did something. */
export function keyActor({ keyId }: { readonly keyId: string }): string {
  return `key:${keyId}`;
}
