import { readFile } from 'node:fs/promises';
import { text as textOf } from 'node:stream/consumers';
import { type Applied, applyDeclared, type Change } from '../app.ts';
import { Problem } from '../base/problem.ts';
import { environment } from '../config.ts';
import { withServices } from './open-services.ts';
import { print, stripControl, withSpinner } from './output.ts';

const signs = { add: '+', change: '~', remove: '-' } as const;
const shownOfValue = 160;

export async function apply(path: string, options: { readonly plan?: true }, json: boolean): Promise<void> {
  const planOnly = options.plan === true;
  const name = path === '-' ? 'standard input' : path;
  const text = await readText(path, name);
  const applied = await withServices(
    async (services, config) => {
      await services.policy.start();
      return withSpinner(planOnly ? 'Comparing' : 'Applying', () =>
        applyDeclared(services, config, { name, text, environment: environment(), planOnly }),
      );
    },
    planOnly ? {} : { mayMakeStore: true },
  );
  print(json, { applied: !planOnly, ...applied }, toLines(applied, planOnly));
}

async function readText(path: string, name: string): Promise<string> {
  try {
    return path === '-' ? await textOf(process.stdin) : await readFile(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'error';
    throw new Problem('invalid_request', `${name} cannot be read (${code})`, { cause });
  }
}

function toLines({ changes, warnings }: Applied, planOnly: boolean): string[] {
  const count = (action: Change['action']) => changes.filter((change) => change.action === action).length;
  const [added, changed, removed] = [count('add'), count('change'), count('remove')];
  const sum = planOnly
    ? `${added} to add, ${changed} to change, ${removed} to remove`
    : `${added} added, ${changed} changed, ${removed} removed`;
  return [
    ...changes.flatMap(lineOf),
    ...warnings.map((warning) => `! ${stripControl(warning)}`),
    changes.length === 0 ? 'Everything is as the file says: nothing to change' : sum,
  ];
}

function lineOf({ action, kind, name, fields }: Change): string[] {
  return [
    `${signs[action]} ${kind} ${stripControl(name)}`,
    ...fields.map((field) => `    ${stripControl(field.field)}: ${valuesOf(action, field)}`),
  ];
}

function valuesOf(action: Change['action'], { from, to }: Change['fields'][number]): string {
  return action === 'add' ? shown(to) : `${shown(from)} → ${shown(to)}`;
}

function shown(value: unknown): string {
  const text = value === undefined ? '(none)' : stripControl(JSON.stringify(value));
  return text.length <= shownOfValue ? text : `${text.slice(0, shownOfValue).toWellFormed()}…`;
}
