/** What scopes of the built-in providers let an app do, in people's words. Of others the scope itself is shown. */
const words: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Google: {
    openid: 'See which Google account this is',
    email: 'See your e-mail address',
    profile: 'See your name and picture',
    'https://www.googleapis.com/auth/userinfo.email': 'See your e-mail address',
    'https://www.googleapis.com/auth/userinfo.profile': 'See your name and picture',
    'https://mail.google.com/': 'Read, write, send and delete all your e-mail',
    'https://www.googleapis.com/auth/gmail.readonly': 'Read your e-mail',
    'https://www.googleapis.com/auth/gmail.modify': 'Read, write and send your e-mail',
    'https://www.googleapis.com/auth/gmail.send': 'Send e-mail as you',
    'https://www.googleapis.com/auth/gmail.compose': 'Write drafts and send e-mail as you',
    'https://www.googleapis.com/auth/gmail.metadata': 'See senders, subjects and dates of your e-mail',
    'https://www.googleapis.com/auth/calendar': 'See and change all your calendars',
    'https://www.googleapis.com/auth/calendar.readonly': 'See your calendars',
    'https://www.googleapis.com/auth/calendar.events': 'See and change events in your calendars',
    'https://www.googleapis.com/auth/calendar.events.readonly': 'See events in your calendars',
    'https://www.googleapis.com/auth/drive': 'See, change and delete all your files in Drive',
    'https://www.googleapis.com/auth/drive.readonly': 'See all your files in Drive',
    'https://www.googleapis.com/auth/drive.file': 'See and change the files that you open with this app',
    'https://www.googleapis.com/auth/drive.metadata.readonly': 'See names and dates of your files in Drive',
    'https://www.googleapis.com/auth/spreadsheets': 'See and change your spreadsheets',
    'https://www.googleapis.com/auth/spreadsheets.readonly': 'See your spreadsheets',
    'https://www.googleapis.com/auth/documents': 'See and change your documents',
    'https://www.googleapis.com/auth/documents.readonly': 'See your documents',
    'https://www.googleapis.com/auth/tasks': 'See and change your tasks',
    'https://www.googleapis.com/auth/tasks.readonly': 'See your tasks',
    'https://www.googleapis.com/auth/contacts.readonly': 'See your contacts',
  },
  GitHub: {
    'read:user': 'See your profile',
    'user:email': 'See your e-mail addresses',
    user: 'See and change your profile',
    repo: 'See and change all your repositories, private ones too',
    public_repo: 'See and change your public repositories',
    'repo:status': 'See and set the status of commits',
    'read:org': 'See your organizations and teams',
    gist: 'Make gists as you',
    notifications: 'See and mark your notifications',
    workflow: 'Change the workflows of GitHub Actions',
  },
  Slack: {
    'channels:read': 'See the channels that you are in',
    'channels:history': 'Read messages in public channels that you are in',
    'groups:history': 'Read messages in private channels that you are in',
    'im:history': 'Read your direct messages',
    'chat:write': 'Send messages as you',
    'users:read': 'See who is in your workspace',
    'files:read': 'See your files',
    'search:read': 'Search your workspace',
  },
  Microsoft: {
    openid: 'See which Microsoft account this is',
    'User.Read': 'See your profile',
    'Mail.Read': 'Read your e-mail',
    'Mail.ReadWrite': 'Read, change and delete your e-mail',
    'Mail.Send': 'Send e-mail as you',
    'Calendars.Read': 'See your calendars',
    'Calendars.ReadWrite': 'See and change your calendars',
    'Files.Read': 'See your files',
    'Files.ReadWrite': 'See, change and delete your files',
  },
};

/** Everywhere the same. */
const common: Readonly<Record<string, string>> = {
  offline_access: 'Stay connected until you disconnect it',
};

/** undefined: there are no words for it. */
export function scopeInWords(provider: string, scope: string): string | undefined {
  return words[provider]?.[scope] ?? common[scope];
}
