import { toNetwork } from '../../access/access.ts';
import { sha256Hex } from '../../base/id.ts';
import { Problem } from '../../base/problem.ts';
import { type OAuthCall, type OAuthReply, oauthError } from '../oauth-request.ts';
import type { SignInStore } from '../sign-in-store.ts';
import { type ClientMetadata, normalizeClient } from './client-metadata.ts';

/** In a day (threats P9): of one address, and of all together. */
const limits = { from: 100, all: 2_000 };

/** A registration in the words that hold for all of them, or why there is none; what is no JSON object is the library's to refuse. */
export async function readRegistration(
  store: SignInStore,
  call: OAuthCall,
  servedGrants: readonly string[],
): Promise<{ readonly call: OAuthCall } | { readonly refused: OAuthReply }> {
  const { from, all } = await store.countRegistrations(registrantDigest(call.address));
  if (from >= limits.from || all >= limits.all) return { refused: tooMany() };
  const metadata = jsonIn(call.body);
  if (metadata === null) return { call };
  try {
    return { call: { ...call, body: Buffer.from(JSON.stringify(normalizeClient(metadata, servedGrants))) } };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { refused: oauthError(400, 'invalid_redirect_uri', error.detail) };
  }
}

function tooMany(): OAuthReply {
  const why = 'too many clients were registered within a day';
  return oauthError(429, 'temporarily_unavailable', why, { 'retry-after': '3600' });
}

/** Who registers, without saying it; of IPv6 a network is one, since its host has as many addresses as it likes. */
export function registrantDigest(address: string): string {
  return sha256Hex(`sign-in registrant\n${toNetwork(address)}`);
}

/** What the library calls otherwise than RFC 6749 section 5.2: where nothing is registered, metadata that are no good are no client. */
export function byRegisteredName(reply: OAuthReply): OAuthReply {
  const { error, error_description } = jsonIn(reply.body) ?? {};
  const why = String(error_description);
  if (error === 'invalid_client_metadata') return oauthError(400, 'invalid_client', why);
  const isForOthers = error === 'invalid_request' && why.includes('grant type is not allowed');
  return isForOthers ? oauthError(400, 'unauthorized_client', why) : reply;
}

function jsonIn(body: Buffer | undefined): ClientMetadata | null {
  try {
    const value: unknown = JSON.parse(body?.toString() ?? '');
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as ClientMetadata)
      : null;
  } catch {
    return null;
  }
}
