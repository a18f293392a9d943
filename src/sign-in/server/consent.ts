import type Provider from 'oidc-provider';
import type { Client, InteractionResults } from 'oidc-provider';
import type { Access } from '../../access/access.ts';
import { keyActor } from '../../base/actor.ts';
import { isAmong } from '../../base/ip-networks.ts';
import { Problem } from '../../base/problem.ts';
import type { Identity } from '../../identity/identity.ts';
import type { Storage } from '../../storage/storage.ts';
import { browserCookieName, cookieValue, type OAuthCall } from '../oauth-request.ts';
import { scope } from '../resources.ts';
import { type AccountRow, accountIdOf, type SignInStore } from '../sign-in-store.ts';
import { grantMs, interactionCookie } from './authorization-server.ts';

/** What a person is asked: which client wants to act where, and where the browser goes then. */
export type Asked = {
  readonly client: {
    readonly name: string;
    /** A host that vouches for it (its metadata document); null where it registered itself. */
    readonly host: string | null;
  };
  readonly resources: readonly string[];
  readonly redirectTo: URL;
};
export type KeySignIn = {
  readonly key: string;
  readonly userId: string | null;
  readonly address: string;
};

type Deps = {
  readonly provider: () => Promise<Provider>;
  readonly store: SignInStore;
  readonly storage: Storage;
  readonly access: Pick<Access, 'authenticate'>;
  readonly identity: Pick<Identity, 'ensureUser'>;
  readonly publicUrl: () => string;
};

const nameLength = 80;

/** The page between a client and its tokens. It belongs to the browser in which the client began (threats P5). */
export function createConsent(deps: Deps) {
  const { provider, store } = deps;

  const find = async (uid: string) => {
    const server = await provider();
    const interaction = await server.Interaction.find(uid);
    if (interaction === undefined) throw notTheirs();
    const client = await server.Client.find(String(interaction.params.client_id));
    if (client === undefined) throw new Problem('not_found', 'The app is not registered any more');
    return { server, interaction, client, resources: [interaction.params.resource].flat().map(String) };
  };
  const findTheirs = (uid: string, headers: OAuthCall['headers']) => {
    const name = browserCookieName(interactionCookie, uid, deps.publicUrl().startsWith('https:'));
    if (cookieValue(headers, name) !== uid) throw notTheirs();
    return find(uid);
  };
  type Found = Awaited<ReturnType<typeof find>>;

  const settle = async ({ interaction }: Found, result: InteractionResults): Promise<string> => {
    interaction.result = result;
    await interaction.save(Math.max(1, interaction.exp - Math.floor(Date.now() / 1_000)));
    return interaction.returnTo;
  };

  const agree = async (found: Found, account: NewAccount, actor: string): Promise<string> => {
    const { server, client, resources } = found;
    const { clientId } = client;
    await store.putAccount(account);
    const grant = new server.Grant({ accountId: account.id, clientId });
    for (const resource of resources) grant.addResourceScope(resource, scope);
    const grantId = await grant.save();
    if (account.issuer !== null) await store.putSignIn({ id: grantId, account, lifeMs: grantMs });
    await store.markClientUsed(clientId);
    await noteAgreement(deps.storage, { actor, account, clientId, resources });
    return settle(found, { login: { accountId: account.id, remember: false }, consent: { grantId } });
  };

  return {
    /** Throws `not_found` where there is nothing to agree to in this browser. */
    async show(uid: string, headers: OAuthCall['headers']): Promise<Asked> {
      const { interaction, client, resources } = await findTheirs(uid, headers);
      return {
        client: describeClient(client),
        resources,
        redirectTo: new URL(String(interaction.params.redirect_uri)),
      };
    },

    /** Answers with where the browser goes on. Throws `invalid_api_key`, `missing_scope`, `rate_limited`, `invalid_request`. */
    async agreeWithKey(uid: string, headers: OAuthCall['headers'], shown: KeySignIn): Promise<string> {
      const found = await findTheirs(uid, headers);
      const holder = await deps.access.authenticate(shown.key, shown.address);
      // From elsewhere a key is no key (threats L2).
      if (holder.addresses !== null && !isAmong(shown.address, holder.addresses))
        throw new Problem('invalid_api_key', 'Missing or invalid API key');
      if (!holder.scopes.has('mcp'))
        throw new Problem('missing_scope', 'This key may not call MCP servers: it lacks the scope mcp');
      const { developerId, keyId } = holder;
      if (shown.userId !== null) await deps.identity.ensureUser({ developerId, userId: shown.userId });
      return agree(found, keyAccount(developerId, keyId, shown.userId), keyActor(holder));
    },

    /** The same of somebody whom another page made sure of, in this very browser. */
    agreeAs: async (uid: string, account: NewAccount): Promise<string> =>
      agree(await find(uid), account, keyActor({ keyId: account.id })),

    async refuse(uid: string, headers: OAuthCall['headers']): Promise<string> {
      const found = await findTheirs(uid, headers);
      return settle(found, { error: 'access_denied', error_description: 'the person did not agree' });
    },
  };
}

export type Consent = ReturnType<typeof createConsent>;

function notTheirs(): Problem {
  return new Problem(
    'not_found',
    'This sign-in is over, or was begun in another browser: start again in your app',
  );
}

export type NewAccount = Parameters<SignInStore['putAccount']>[0];

/** One key and user are one account, however often they sign in. */
function keyAccount(developerId: string, keyId: string, userId: string | null): NewAccount {
  const nobody = {
    issuer: null,
    subject: null,
    sid: null,
    name: null,
    sealed: null,
  } satisfies Partial<AccountRow>;
  const id = accountIdOf('key', keyId, userId);
  return { id, developer_id: developerId, user_id: userId, key_id: keyId, groups: '[]', ...nobody };
}

function describeClient({ clientId, clientName }: Client): Asked['client'] {
  const host = URL.parse(clientId)?.host ?? null;
  const name = (clientName ?? '').trim().slice(0, nameLength);
  return { name: name === '' ? (host ?? 'An app without a name') : name, host };
}

function noteAgreement(
  storage: Storage,
  agreed: {
    readonly actor: string;
    readonly account: NewAccount;
    readonly clientId: string;
    readonly resources: readonly string[];
  },
): Promise<void> {
  const { actor, account, clientId, resources } = agreed;
  return storage.write((_trx, _notify, audit) =>
    audit({
      developerId: account.developer_id,
      ...(account.user_id !== null && { userId: account.user_id }),
      actor,
      action: 'sign_in.agree',
      subject: account.id,
      facts: { client: clientId, resources: [...resources] },
    }),
  );
}
