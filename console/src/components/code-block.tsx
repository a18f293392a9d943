import { save } from '../browser/download.ts';
import { count } from '../browser/format.ts';
import { Button, CopyButton } from './button.tsx';

/** So many characters are laid out at once; a browser takes seconds for millions of them. */
export const mostShown = 100_000;

export function CodeBlock({
  text,
  label,
  wrap = false,
}: {
  readonly text: string;
  readonly label: string;
  readonly wrap?: boolean;
}) {
  return (
    <div class="code-block">
      <div class="code-head">
        <span>{label}</span>
        <CopyButton text={text} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <section class="code-scroll" tabIndex={0} aria-label={label}>
        <pre class={wrap ? 'wrap' : ''}>{text.slice(0, mostShown)}</pre>
      </section>
      {text.length > mostShown && (
        <p class="muted code-rest">
          The first {count(mostShown)} of {count(text.length)} characters.{' '}
          <Button small onClick={() => save(new Blob([text], { type: 'text/plain' }), `${label}.txt`)}>
            Save all
          </Button>
        </p>
      )}
    </div>
  );
}
