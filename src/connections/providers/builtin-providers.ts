import { isObject, type JsonObject } from '../../base/json.ts';
import { google } from './google-provider.ts';
import { blankProvider, type Provider } from './oauth-provider.ts';

const github: Provider = {
  ...blankProvider,
  name: 'github',
  title: 'GitHub',
  authorizationUrl: 'https://github.com/login/oauth/authorize',
  tokenUrl: 'https://github.com/login/oauth/access_token',
  userinfoUrl: 'https://api.github.com/user',
  // The least: a session asks for more when it needs more.
  scopes: ['read:user'],
  scopeSeparator: /[ ,]+/,
  accountFields: { id: ['id'], label: ['email', 'login', 'name'], email: ['email'], domain: [] },
  defaultOrigin: 'https://api.github.com',
  routes: [{ prefix: '~uploads', origin: 'https://uploads.github.com' }],
};

const slack: Provider = {
  ...blankProvider,
  name: 'slack',
  title: 'Slack',
  authorizationUrl: 'https://slack.com/oauth/v2/authorize',
  tokenUrl: 'https://slack.com/api/oauth.v2.access',
  userinfoUrl: 'https://slack.com/api/auth.test',
  scopes: ['channels:read', 'channels:history', 'chat:write', 'users:read'],
  scopeParameter: 'user_scope',
  scopeSeparator: /[ ,]+/,
  accountFields: { id: ['user_id'], label: ['user'], email: [], domain: [] },
  defaultOrigin: 'https://slack.com',
  routes: [{ prefix: '~files', origin: 'https://files.slack.com' }],
  toStandardReply: fromSlackReply,
};

const microsoft: Provider = {
  ...blankProvider,
  name: 'microsoft',
  title: 'Microsoft',
  // No issuer and no `openid`: the issuer of the shared endpoint differs by tenant, so nothing could be compared.
  authorizationUrl: 'https://login.microsoftonline.com/common/oauth2/v2.0/authorize',
  tokenUrl: 'https://login.microsoftonline.com/common/oauth2/v2.0/token',
  userinfoUrl: 'https://graph.microsoft.com/v1.0/me',
  offlinePrompt: null,
  scopes: ['offline_access', 'User.Read', 'Mail.Read', 'Calendars.Read', 'Files.Read'],
  scopeSeparator: / +/,
  accountFields: {
    id: ['id'],
    label: ['mail', 'userPrincipalName'],
    email: ['mail', 'userPrincipalName'],
    domain: [],
  },
  defaultOrigin: 'https://graph.microsoft.com',
};

export const builtinProviders: readonly Provider[] = [google, github, slack, microsoft];

/** `oauth.v2.access` nests the user's token beside the bot's; `ok: false` comes with status 200 (https://docs.slack.dev). */
function fromSlackReply(body: JsonObject): JsonObject {
  const user = body.authed_user;
  if (!isObject(user) || !('access_token' in user)) return body;
  return { ...user, token_type: 'bearer' };
}
