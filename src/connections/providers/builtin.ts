import { blankProvider, type Provider } from './provider.ts';

/** Google's APIs: name of the service, its host, and the first parts of its paths that no other service has. */
const googleServices: readonly (readonly [service: string, host: string, ...prefixes: string[]])[] = [
  ['gmail', 'gmail.googleapis.com', 'gmail/v1'],
  ['calendar', 'www.googleapis.com', 'calendar/v3'],
  ['drive', 'www.googleapis.com', 'drive/v3'],
  ['oauth2', 'www.googleapis.com', 'oauth2/v2'],
  ['sheets', 'sheets.googleapis.com', 'v4/spreadsheets'],
  ['docs', 'docs.googleapis.com', 'v1/documents'],
  ['people', 'people.googleapis.com', 'v1/people'],
  ['tasks', 'tasks.googleapis.com', 'tasks/v1'],
  ['youtube', 'youtube.googleapis.com', 'youtube/v3'],
  // The paths of these are shared by several services (`v1/…`): by name only.
  ['slides', 'slides.googleapis.com'],
  ['forms', 'forms.googleapis.com'],
  ['chat', 'chat.googleapis.com'],
  ['meet', 'meet.googleapis.com'],
  ['keep', 'keep.googleapis.com'],
  ['classroom', 'classroom.googleapis.com'],
];

const googleRoutes = googleServices.flatMap(([service, host, ...prefixes]) => {
  const origin = `https://${host}`;
  const paths = prefixes.flatMap((prefix) => [prefix, `upload/${prefix}`, `resumable/upload/${prefix}`]);
  return [...paths, `~${service}`].map((prefix) => ({ prefix, origin }));
});

const google: Provider = {
  ...blankProvider,
  name: 'google',
  title: 'Google',
  issuer: 'https://accounts.google.com',
  authorizationUrl: 'https://accounts.google.com/o/oauth2/v2/auth',
  tokenUrl: 'https://oauth2.googleapis.com/token',
  revocationUrl: 'https://oauth2.googleapis.com/revoke',
  userinfoUrl: 'https://openidconnect.googleapis.com/v1/userinfo',
  jwksUrl: 'https://www.googleapis.com/oauth2/v3/certs',
  // Reading only: a session asks for more when it needs more.
  scopes: [
    'openid',
    'email',
    'https://www.googleapis.com/auth/calendar.readonly',
    'https://www.googleapis.com/auth/gmail.readonly',
    'https://www.googleapis.com/auth/drive.readonly',
  ],
  // Without both, Google gives a refresh token at the first consent only, or never.
  authorizationParams: { access_type: 'offline', prompt: 'consent', include_granted_scopes: 'true' },
  routes: googleRoutes,
};

const github: Provider = {
  ...blankProvider,
  name: 'github',
  title: 'GitHub',
  authorizationUrl: 'https://github.com/login/oauth/authorize',
  tokenUrl: 'https://github.com/login/oauth/access_token',
  userinfoUrl: 'https://api.github.com/user',
  scopes: ['read:user', 'repo'],
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
  defaultOrigin: 'https://slack.com',
  routes: [{ prefix: '~files', origin: 'https://files.slack.com' }],
  standardReply: slackReply,
};

const microsoft: Provider = {
  ...blankProvider,
  name: 'microsoft',
  title: 'Microsoft',
  // No issuer and no `openid`: the issuer of the shared endpoint differs by tenant, so nothing could be compared.
  authorizationUrl: 'https://login.microsoftonline.com/common/oauth2/v2.0/authorize',
  tokenUrl: 'https://login.microsoftonline.com/common/oauth2/v2.0/token',
  userinfoUrl: 'https://graph.microsoft.com/v1.0/me',
  scopes: ['offline_access', 'User.Read', 'Mail.Read', 'Calendars.Read', 'Files.Read'],
  defaultOrigin: 'https://graph.microsoft.com',
};

export const builtinProviders: readonly Provider[] = [google, github, slack, microsoft];

/** `oauth.v2.access` nests the user's token beside the bot's; `ok: false` comes with status 200 (https://docs.slack.dev). */
function slackReply(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const user = body.authed_user;
  if (typeof user !== 'object' || user === null || !('access_token' in user)) return body;
  return { ...user, token_type: 'bearer' };
}
