import { useEffect, useState } from 'preact/hooks';
import { maySee, session, whoAmI } from '../api/client.ts';
import { navigate, params, pathParts } from '../browser/router.ts';
import { Button } from '../components/button.tsx';
import { Icon, type IconName, Mark } from '../components/icons.tsx';
import { EmptyState, ErrorNotice, PageHeader, Skeleton } from '../components/states.tsx';
import { ActivityPage } from '../pages/activity.tsx';
import { ApprovalsPage } from '../pages/approvals.tsx';
import { AuditPage } from '../pages/audit.tsx';
import { CallsPage } from '../pages/calls.tsx';
import { CatalogPage } from '../pages/catalog.tsx';
import { DocsPage } from '../pages/docs.tsx';
import { IssuersPage } from '../pages/issuers.tsx';
import { KeysPage } from '../pages/keys.tsx';
import { OAuthClientsPage } from '../pages/oauth-clients.tsx';
import { SearchPage } from '../pages/search.tsx';
import { ServerPage } from '../pages/server.tsx';
import { SettingsPage } from '../pages/settings.tsx';
import { ToolsetPage } from '../pages/toolset.tsx';
import { ToolsetsPage } from '../pages/toolsets.tsx';
import { UsersPage } from '../pages/users.tsx';
import { WebhooksPage } from '../pages/webhooks.tsx';
import { Account } from './account.tsx';
import { CommandPalette, useCommandKey } from './command-palette.tsx';
import { SignIn } from './sign-in.tsx';
import { ThemeSwitch } from './theme-switch.tsx';

type PageLink = {
  readonly path: string;
  readonly name: string;
  readonly icon: IconName;
  /** The scope without which a page is not shown. */
  readonly scope: string | null;
  /** The least role of a person who is here without a key. */
  readonly role: string;
};

/** In groups: finding and calling, who may act for whom, running the service. */
const groups: readonly (readonly PageLink[])[] = [
  [
    { path: '', name: 'Search', icon: 'search', scope: 'search', role: 'viewer' },
    { path: 'catalogue', name: 'Catalogue', icon: 'catalogue', scope: 'search', role: 'viewer' },
    { path: 'activity', name: 'Activity', icon: 'activity', scope: 'admin', role: 'operator' },
    { path: 'activity/calls', name: 'Calls', icon: 'calls', scope: 'admin', role: 'operator' },
  ],
  [
    { path: 'keys', name: 'Keys', icon: 'keys', scope: 'admin', role: 'admin' },
    { path: 'keys/toolsets', name: 'Toolsets', icon: 'toolsets', scope: 'admin', role: 'viewer' },
    { path: 'keys/approvals', name: 'Approvals', icon: 'inbox', scope: 'approve', role: 'operator' },
    { path: 'connections', name: 'Users', icon: 'people', scope: 'admin', role: 'operator' },
    { path: 'issuers', name: 'Issuers', icon: 'shield', scope: 'identity', role: 'developer' },
    { path: 'webhooks', name: 'Webhooks', icon: 'bell', scope: 'identity', role: 'developer' },
    { path: 'oauth-clients', name: 'OAuth clients', icon: 'link', scope: 'admin', role: 'operator' },
  ],
  [
    { path: 'audit', name: 'Audit', icon: 'audit', scope: 'admin', role: 'operator' },
    { path: 'settings', name: 'Settings', icon: 'settings', scope: 'admin', role: 'admin' },
    { path: 'docs', name: 'Docs', icon: 'docs', scope: null, role: 'viewer' },
  ],
];

export function App() {
  const [error, setError] = useState<Error | null>(null);
  const ask = () => {
    setError(null);
    whoAmI().catch(setError);
  };
  useEffect(ask, []);
  if (error !== null)
    return (
      <main class="alone">
        <h1 class="visually-hidden">MCP Rank</h1>
        <ErrorNotice error={error} retry={ask} />
      </main>
    );
  if (session.value === undefined)
    return (
      <main class="alone">
        <h1 class="visually-hidden">MCP Rank</h1>
        <Skeleton rows={3} />
      </main>
    );
  return session.value.signed_in ? <Layout /> : <SignIn />;
}

function Layout() {
  const [open, setOpen] = useState(false);
  const lists = groups.map((places) => places.filter(maySee)).filter(({ length }) => length > 0);
  const shown = lists.flat();
  const [here = '', part] = pathParts.value;
  const at = shown.find(({ path }) => path === `${here}/${part}`) ?? shown.find(({ path }) => path === here);
  // A key without search begins at the first page that it may see.
  const place = at ?? (here === '' ? shown[0] : undefined);
  useEffect(() => setOpen(false), [pathParts.value]);
  const [going, setGoing] = useState(false);
  useCommandKey(() => setGoing(true));
  return (
    <div class="layout">
      <a class="skip" href="#main" data-plain>
        Skip to content
      </a>
      <header class="side" data-open={open}>
        <div class="side-head">
          <a class="brand" href="/">
            <Mark />
            MCP Rank
          </a>
          <button
            type="button"
            class="button quiet menu"
            aria-expanded={open}
            aria-controls="menu"
            onClick={() => setOpen(!open)}
          >
            <Icon name={open ? 'cross' : 'menu'} />
            <span class="visually-hidden">Menu</span>
          </button>
        </div>
        <div class="side-body" id="menu">
          <Button small icon="search" onClick={() => setGoing(true)}>
            Go to … <kbd>Ctrl K</kbd>
          </Button>
          <nav aria-label="Pages">
            {lists.map((places, i) => (
              <ul key={i}>
                {places.map(({ path, name, icon }) => (
                  <li key={path}>
                    <a href={`/${path}`} aria-current={place?.path === path ? 'page' : undefined}>
                      <Icon name={icon} />
                      {name}
                    </a>
                  </li>
                ))}
              </ul>
            ))}
          </nav>
          <div class="side-foot">
            <ThemeSwitch />
            <Account />
          </div>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <Page path={place?.path} />
      </main>
      {going && (
        <CommandPalette
          pages={shown.map(({ name, path }) => ({ kind: 'Page', name, path: `/${path}` }))}
          onClose={() => setGoing(false)}
        />
      )}
    </div>
  );
}

function Page({ path }: { readonly path: string | undefined }) {
  const [, id] = pathParts.value;
  const name = params.value.get('name');
  switch (path) {
    case '':
      return <SearchPage />;
    case 'catalogue':
      return id === undefined ? <CatalogPage /> : <ServerPage key={id} id={id} />;
    case 'activity':
      return <ActivityPage />;
    case 'activity/calls':
      return <CallsPage />;
    case 'keys':
      return <KeysPage />;
    case 'keys/toolsets':
      return name === null ? <ToolsetsPage /> : <ToolsetPage key={name} name={name} />;
    case 'keys/approvals':
      return <ApprovalsPage named={params.value.get('id')} />;
    case 'connections':
      return <UsersPage />;
    case 'issuers':
      return <IssuersPage />;
    case 'webhooks':
      return <WebhooksPage />;
    case 'oauth-clients':
      return <OAuthClientsPage />;
    case 'audit':
      return <AuditPage />;
    case 'settings':
      return <SettingsPage />;
    case 'docs':
      return <DocsPage name={id} />;
    default:
      return (
        <>
          <PageHeader title="Not here" />
          <EmptyState icon="search" title="There is no such page, or your key may not see it">
            <button type="button" class="button" onClick={() => navigate('/')}>
              Back to the start
            </button>
          </EmptyState>
        </>
      );
  }
}
