import { computed, signal } from '@preact/signals';

/** Where we are: the path's parts, decoded, and its query. */
const location = signal(read());
export const pathParts = computed(() => location.value.parts);
export const params = computed(() => location.value.params);

function read() {
  const { pathname, search } = window.location;
  return {
    parts: pathname.split('/').filter(Boolean).map(decode),
    params: new URLSearchParams(search),
  };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function navigate(
  path: string,
  options: { readonly replace?: boolean; readonly stay?: boolean } = {},
): void {
  const target = new URL(path, window.location.href);
  if (target.href !== window.location.href)
    window.history[options.replace === true ? 'replaceState' : 'pushState'](null, '', target.href);
  location.value = read();
  if (options.stay === true) return;
  window.scrollTo(0, 0);
  // A screen reader hears of the new page by its heading; the keyboard goes on from there.
  requestAnimationFrame(() => document.querySelector<HTMLElement>('main h1')?.focus({ preventScroll: true }));
}

/** Links of our own change the page without a load; all others are the browser's business. */
export function followLinks(): void {
  window.addEventListener('popstate', () => {
    location.value = read();
  });
  document.addEventListener('click', (event) => {
    const link = (event.target as Element | null)?.closest?.('a');
    if (!link || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (link.origin !== window.location.origin || link.target !== '' || link.hasAttribute('data-plain'))
      return;
    if (link.hash !== '' && link.pathname === window.location.pathname) return;
    event.preventDefault();
    navigate(link.href);
  });
}

export function serverPath(id: string): string {
  return `/catalogue/${encodeURIComponent(id)}`;
}

export function toolsetPath(name: string): string {
  return `/keys/toolsets?name=${encodeURIComponent(name)}`;
}

/** The calls of one server, one time, one end. */
export function callsPath(filters: Readonly<Record<string, string>>): string {
  return `/activity/calls?${new URLSearchParams(filters)}`;
}
