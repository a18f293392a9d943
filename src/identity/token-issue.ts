import { keyActor } from '../base/actor.ts';
import type { Clock } from '../base/clock.ts';
import { newId, sha256Hex } from '../base/id.ts';
import { Problem } from '../base/problem.ts';
import { isUserId, userIdForm } from '../base/user-id.ts';
import type { Actor, Owner } from './identity-model.ts';
import type { SigningKeys } from './keys/signing-keys.ts';
import type { FamilyStore } from './refresh/family-store.ts';
import { decide, newLifetimes } from './refresh/refresh-decision.ts';
import { newSalt, parseRefreshToken, refreshTokenText } from './refresh/refresh-token.ts';
import { lifeSeconds, type UserTokens } from './user-token.ts';

/** A user token and the refresh token that renews it, both good from now. */
export type TokenSet = {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresInSeconds: number;
};

export type IssueDeps = {
  readonly families: FamilyStore;
  readonly keys: Pick<SigningKeys, 'refreshRoot'>;
  readonly tokens: UserTokens;
  readonly clock: Clock;
  /** Providers the user has connected: told in the user token. */
  readonly connectedServices: (owner: Owner) => Promise<readonly string[]>;
};

/** `how` the user was named goes to the audit trail. Throws `invalid_request` for what is no user id. */
export async function issueTokens(
  deps: IssueDeps,
  actor: Actor,
  { userId, how }: { readonly userId: string; readonly how: 'user_id' | 'token-exchange' },
): Promise<TokenSet> {
  checkUserId(userId);
  const root = await deps.keys.refreshRoot();
  const [id, salt] = [newId('fam'), newSalt()];
  const refreshToken = refreshTokenText(root, salt, id, 1);
  const family = { id, salt, digest: sha256Hex(refreshToken), ...newLifetimes(deps.clock.now()) };
  const owner = { developerId: actor.developerId, userId };
  await deps.families.add({ owner, actor: keyActor(actor), family, how });
  return mintTokens(deps, actor, { userId, sessionId: id, refreshToken });
}

/** Throws `invalid_grant`. */
export async function refreshTokens(deps: IssueDeps, actor: Actor, text: string): Promise<TokenSet> {
  const token = parseRefreshToken(text);
  if (token === null) throw deadToken();
  const root = await deps.keys.refreshRoot();
  const { developerId } = actor;
  const { userId, successor } = await deps.families.change({
    id: token.family,
    actor: keyActor(actor),
    decide: (family) => decide({ family, token, text, root, developerId, now: deps.clock.now() }),
  });
  if (successor === null) throw deadToken();
  return mintTokens(deps, actor, { userId, sessionId: token.family, refreshToken: successor });
}

export function checkUserId(userId: string): void {
  if (!isUserId(userId)) throw new Problem('invalid_request', `user_id: expected ${userIdForm}`);
}

async function mintTokens(
  { tokens, connectedServices }: IssueDeps,
  { developerId, keyId }: Actor,
  { refreshToken, ...session }: { userId: string; sessionId: string; refreshToken: string },
): Promise<TokenSet> {
  const services = await connectedServices({ developerId, userId: session.userId });
  const claims = { developerId, keyId, ...session, connectedServices: services };
  return { accessToken: await tokens.mint(claims), refreshToken, expiresInSeconds: lifeSeconds };
}

function deadToken(): Problem {
  return new Problem('invalid_grant', 'Invalid or expired refresh token');
}
