import { signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';

const root = document.documentElement;
export const theme = signal<Theme>((root.dataset.theme as Theme | undefined) ?? 'system');
/** Goes up with every change of colours, for what is drawn on a canvas. */
export const painted = signal(0);

const dark = window.matchMedia('(prefers-color-scheme: dark)');
dark.addEventListener('change', () => painted.value++);

export function choose(next: Theme): void {
  theme.value = next;
  if (next === 'system') delete root.dataset.theme;
  else root.dataset.theme = next;
  try {
    if (next === 'system') localStorage.removeItem('theme');
    else localStorage.setItem('theme', next);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
  painted.value++;
}
