/** How the audit trail names an API key that did something, or the account of a person who signed in without one. */
export function keyActor({ keyId }: { readonly keyId: string }): string {
  return keyId.startsWith('acc_') ? `account:${keyId}` : `key:${keyId}`;
}
