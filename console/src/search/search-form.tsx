import { useEffect, useRef, useState } from 'preact/hooks';
import { Button } from '../components/button.tsx';
import { Icon } from '../components/icons.tsx';

/** Somebody is still typing. */
const quietMs = 200;
const leastLetters = 2;

export function SearchForm(props: {
  readonly asked: string;
  readonly ask: (query: string) => void;
  /** What stands there while it is typed. */
  readonly onTyped: (query: string) => void;
}) {
  const { asked, ask, onTyped } = props;
  const [text, setText] = useState(asked);
  const input = useRef<HTMLInputElement>(null);
  // What is typed meanwhile stays: the address follows it, and leads only where it came from elsewhere.
  const told = useRef(asked);
  useEffect(() => {
    if (asked !== told.current) setText(asked);
    told.current = asked;
  }, [asked]);
  useEffect(() => {
    const query = text.trim();
    if (query === asked || (query !== '' && query.length < leastLetters)) return;
    const timer = setTimeout(() => {
      told.current = query;
      onTyped(query);
    }, quietMs);
    return () => clearTimeout(timer);
  }, [text, asked]);
  useSlash(input);
  return (
    <form
      class="search-form"
      onSubmit={(event) => {
        event.preventDefault();
        told.current = text.trim();
        ask(told.current);
      }}
    >
      <Icon name="search" />
      <input
        ref={input}
        type="search"
        name="q"
        aria-label="What do you want done?"
        placeholder="What do you want done?"
        autoComplete="off"
        maxLength={1000}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <span class="slash" aria-hidden="true">
        /
      </span>
      <Button kind="main" type="submit">
        Search
      </Button>
    </form>
  );
}

/** `/` leads to the search from wherever one is not typing. */
function useSlash(input: { current: HTMLInputElement | null }): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test((event.target as Element | null)?.tagName ?? '');
      if (event.key !== '/' || typing || event.metaKey || event.ctrlKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [input]);
}
