import { useEffect, useId, useState } from 'preact/hooks';
import { call, may } from '../api/client.ts';
import { navigate, serverPath } from '../browser/router.ts';
import { Dialog } from '../components/dialog.tsx';
import { find, loadDocuments } from '../docs/library.ts';
import { search } from '../search/search-request.ts';

/** Where one can go. `kind` stands beside it. */
export type Place = { readonly kind: string; readonly name: string; readonly path: string };

const quietMs = 150;
const shownOfAKind = 6;
const serversAsked = 4;

/** Opens on Ctrl-K (or the Mac's own key), from every page. */
export function useCommandKey(open: () => void): void {
  useEffect(() => {
    const hear = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      open();
    };
    document.addEventListener('keydown', hear);
    return () => document.removeEventListener('keydown', hear);
  }, []);
}

/** Pages, servers, tools, a search and the documents, by a few letters (WAI-ARIA Authoring Practices, combobox with a list). */
export function CommandPalette(props: { readonly pages: readonly Place[]; readonly onClose: () => void }) {
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const places = usePlaces(props.pages, text.trim());
  const id = useId();
  const chosen = places[Math.min(at, places.length - 1)];
  const go = ({ path }: Place) => {
    props.onClose();
    navigate(path);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      setAt((old) => (old + step + places.length) % Math.max(1, places.length));
    }
    if (event.key !== 'Enter' || chosen === undefined) return;
    event.preventDefault();
    go(chosen);
  };
  const combobox: object = {
    // Not of type search: there Escape empties the field in place of closing the dialog.
    type: 'text',
    role: 'combobox',
    'aria-label': 'Page, server, tool or document',
    'aria-expanded': places.length > 0,
    'aria-controls': `${id}-list`,
    'aria-activedescendant': chosen === undefined ? undefined : `${id}-${places.indexOf(chosen)}`,
    'aria-autocomplete': 'list',
  };
  return (
    <Dialog title="Go to" onClose={props.onClose}>
      <div class="dialog-body palette">
        <input
          {...combobox}
          autoComplete="off"
          spellcheck={false}
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setAt(0);
          }}
          onKeyDown={onKeyDown}
        />
        <div role="listbox" id={`${id}-list`} aria-label="Places">
          {places.map((place, i) => (
            // The keyboard is the field's: what is chosen is told by aria-activedescendant.
            // biome-ignore lint/a11y/useKeyWithClickEvents: as said
            <div
              key={`${place.kind} ${place.path}`}
              id={`${id}-${i}`}
              role="option"
              tabIndex={-1}
              aria-selected={place === chosen}
              onClick={() => go(place)}
            >
              <span>{place.name}</span>
              <span class="muted">{place.kind}</span>
            </div>
          ))}
        </div>
        {places.length === 0 && (
          <p class="muted" role="status">
            Nothing is called so.
          </p>
        )}
      </div>
    </Dialog>
  );
}

function usePlaces(pages: readonly Place[], text: string): readonly Place[] {
  const [found, setFound] = useState<readonly Place[]>([]);
  useEffect(() => {
    if (text === '') return setFound([]);
    const abort = new AbortController();
    const timer = setTimeout(() => {
      // Of what cannot be asked the others are there all the same.
      const kinds = [serversOf(text, abort.signal), toolsOf(text, abort.signal), documentsOf(text)].map(
        (kind) => kind.catch(() => []),
      );
      Promise.all(kinds).then((places) => {
        if (!abort.signal.aborted) setFound(places.flat());
      });
    }, quietMs);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [text]);
  const words = text.toLowerCase();
  const fitting = pages.filter(({ name }) => name.toLowerCase().includes(words));
  if (text === '') return fitting;
  const searched: Place = {
    kind: 'Search',
    name: `Search for “${text}”`,
    path: `/?q=${encodeURIComponent(text)}`,
  };
  return [...fitting, ...(may('search') ? [searched] : []), ...found];
}

async function serversOf(text: string, signal: AbortSignal): Promise<readonly Place[]> {
  if (!may('search')) return [];
  const { body } = await call('GET /v1/servers', { query: { text, limit: shownOfAKind }, signal });
  return body.servers.map(({ id, name }) => ({ kind: 'Server', name, path: serverPath(id) }));
}

/** What is typed here was not searched for: a draft. */
async function toolsOf(query: string, signal: AbortSignal): Promise<readonly Place[]> {
  if (!may('search')) return [];
  const { body } = await search({ query, limit: serversAsked, tool_limit: 3, draft: true }, signal);
  return body.servers
    .filter(({ match }) => match === 'strong')
    .flatMap(({ id, name: server, tools }) =>
      tools.map(({ name }) => ({
        kind: `Tool of ${server}`,
        name,
        path: `${serverPath(id)}?tool=${encodeURIComponent(name)}`,
      })),
    )
    .slice(0, shownOfAKind);
}

async function documentsOf(text: string): Promise<readonly Place[]> {
  const sections = find(await loadDocuments(), text).slice(0, shownOfAKind);
  return sections.map(({ document: { name, title }, section }) => ({
    kind: title,
    name: section.heading,
    path: `/docs/${name}#${section.anchor}`,
  }));
}
