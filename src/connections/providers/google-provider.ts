import { blankProvider, type Provider } from './oauth-provider.ts';
import { googleApiRules, googleParameters } from './provider-api.ts';

const wholeMail = 'https://mail.google.com/';
const scope = (name: string) => `https://www.googleapis.com/auth/${name}`;

type Service = {
  readonly name: string;
  readonly host: string;
  /** The first parts of its paths that no other service has; where several share one (`v1/…`), it goes by name only. */
  readonly prefix?: string;
  /**
   * Only families of scopes: which method needs which one is Google's business, but a token without any of the family is
   * refused in every case, and here the user can be told what to do about it.
   */
  readonly scopes?: readonly string[];
};

const services: readonly Service[] = [
  { name: 'gmail', host: 'gmail', prefix: 'gmail/v1', scopes: [wholeMail, scope('gmail.*')] },
  { name: 'calendar', host: 'www', prefix: 'calendar/v3', scopes: [scope('calendar*')] },
  { name: 'drive', host: 'www', prefix: 'drive/v3', scopes: [scope('drive*')] },
  { name: 'oauth2', host: 'www', prefix: 'oauth2/v2' },
  {
    name: 'sheets',
    host: 'sheets',
    prefix: 'v4/spreadsheets',
    scopes: [scope('spreadsheets*'), scope('drive*')],
  },
  { name: 'docs', host: 'docs', prefix: 'v1/documents', scopes: [scope('documents*'), scope('drive*')] },
  { name: 'people', host: 'people', prefix: 'v1/people' },
  { name: 'tasks', host: 'tasks', prefix: 'tasks/v1', scopes: [scope('tasks*')] },
  { name: 'youtube', host: 'youtube', prefix: 'youtube/v3', scopes: [scope('youtube*')] },
  { name: 'slides', host: 'slides' },
  { name: 'forms', host: 'forms' },
  { name: 'chat', host: 'chat' },
  { name: 'meet', host: 'meet' },
  { name: 'keep', host: 'keep' },
  { name: 'classroom', host: 'classroom' },
];

export const google: Provider = {
  ...blankProvider,
  name: 'google',
  title: 'Google',
  clientSettings: 'GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET',
  issuer: 'https://accounts.google.com',
  authorizationUrl: 'https://accounts.google.com/o/oauth2/v2/auth',
  tokenUrl: 'https://oauth2.googleapis.com/token',
  revocationUrl: 'https://oauth2.googleapis.com/revoke',
  userinfoUrl: 'https://openidconnect.googleapis.com/v1/userinfo',
  jwksUrl: 'https://www.googleapis.com/oauth2/v3/certs',
  // Reading only: a session asks for more when it needs more.
  scopes: ['openid', 'email', scope('calendar.readonly'), scope('gmail.readonly'), scope('drive.readonly')],
  scopeSeparator: / +/,
  // Without both, Google gives a refresh token at the first consent only, or never.
  authorizationParams: { access_type: 'offline', prompt: 'consent', include_granted_scopes: 'true' },
  accountFields: { id: ['sub'], label: ['email', 'name'], email: ['email'], domain: ['hd'] },
  routes: services.flatMap(({ name, host, prefix }) => {
    const origin = `https://${host}.googleapis.com`;
    const paths =
      prefix === undefined ? [] : ['', ...googleApiRules.uploadFolders].map((each) => each + prefix);
    return [...paths, `~${name}`].map((each) => ({ prefix: each, origin }));
  }),
  scopesByPrefix: Object.fromEntries(
    services.flatMap(({ prefix, scopes }) =>
      prefix === undefined || scopes === undefined ? [] : [[prefix, scopes]],
    ),
  ),
  ...googleApiRules,
  refusedParameters: googleParameters,
};
