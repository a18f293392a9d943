import { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import type { Clock } from '../../base/clock.ts';
import type { Vault } from '../../vault/vault.ts';
import { secretDigest } from '../clients/machine-clients.ts';
import { registrantDigest } from '../clients/registration.ts';
import { digestOf, type SignInStore } from '../sign-in-store.ts';

type Deps = {
  readonly store: SignInStore;
  readonly clock: Clock;
  readonly tickets: Vault['sealedTokens'];
  /** Who registers a client just now: its address. */
  readonly registrant: () => string;
};

/** Rests sealed: it names itself, and its name is the browser's cookie. */
const sealedModels = new Set(['Interaction']);
/** Nobody stays signed in here: each client asks anew, and a company's people are known at their provider. */
const unkept = new Set(['Session']);
const clientModel = 'Client';
/** The assertions by which clients signed themselves in. */
const usedModel = 'ReplayDetection';
const usedBefore = 'client assertion tokens must only be used once';

/** How node-oidc-provider keeps what it makes: under the SHA-256 of its name, which stands nowhere else. */
export function createAdapters(deps: Deps): (model: string) => Adapter {
  return (model) => {
    if (unkept.has(model)) return nothing;
    return model === clientModel ? clientAdapter(deps) : recordAdapter(deps, model);
  };
}

function recordAdapter({ store, clock, tickets }: Deps, model: string): Adapter {
  const binding = (id: string) => `sign-in ${model} ${id}`;
  const isSealed = sealedModels.has(model);
  const idOf = (name: string) => (model === 'Grant' ? name : digestOf(name));
  return {
    ...nothing,
    async upsert(name, { jti: _jti, ...payload }, expiresIn) {
      const id = idOf(name);
      const text = JSON.stringify(payload);
      const lifeMs = (expiresIn ?? 0) * 1_000;
      const row = {
        model,
        id,
        grant_id: payload.grantId ?? null,
        account_id: payload.accountId ?? null,
        payload: isSealed ? tickets.seal(text, binding(id), lifeMs) : text,
        expires_at: clock.now() + lifeMs,
      };
      if (model !== usedModel) await store.putRecord(row);
      // The library looks first and writes then: of two at once, on whichever replica, one is first (threats P16).
      else if (!(await store.addRecord(row))) throw new errors.InvalidClientAuth(usedBefore);
    },
    async find(name) {
      const id = idOf(name);
      const row = await store.record(model, id);
      const text = isSealed ? tickets.open(row?.payload ?? '', binding(id)) : row?.payload;
      if (row === undefined || text == null) return undefined;
      const consumed = row.consumed_at === null ? {} : { consumed: Math.floor(row.consumed_at / 1_000) };
      return { ...(JSON.parse(text) as AdapterPayload), jti: name, ...consumed };
    },
    async consume(name) {
      // Of two who use a code or a refresh token at once, on whichever replica, one is first (threats P6).
      if (!(await store.consume(model, idOf(name)))) throw new errors.InvalidGrant('already used');
    },
    destroy: (name) => store.removeRecord(model, idOf(name)),
    revokeByGrantId: (grantId) => store.removeGrant(model, grantId),
  };
}

/** Registered clients; of their secrets a digest is kept, and stands in the secret's place. */
function clientAdapter({ store, registrant }: Deps): Adapter {
  return {
    ...nothing,
    async upsert(id, { client_secret: secret, ...metadata }) {
      await store.putClient({
        id,
        metadata: JSON.stringify(metadata),
        secret_digest: secret === undefined ? null : secretDigest(secret),
        registered_from: registrantDigest(registrant()),
      });
    },
    async find(id) {
      const row = await store.client(id);
      if (row === undefined) return undefined;
      const secret = row.secret_digest === null ? {} : { client_secret: row.secret_digest };
      return { ...(JSON.parse(row.metadata) as AdapterPayload), ...secret };
    },
    destroy: (id) => store.removeClient(id),
  };
}

const nothing: Adapter = {
  upsert: async () => undefined,
  find: async () => undefined,
  findByUserCode: async () => undefined,
  findByUid: async () => undefined,
  consume: async () => undefined,
  destroy: async () => undefined,
  revokeByGrantId: async () => undefined,
};
