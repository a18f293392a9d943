import { basename, dirname } from 'node:path';

/** Where the values of a configuration file's `${…}` come from. */
export type PlaceholderSource = {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly file: string;
};

/** A value cannot be told; the message says why, and names the variable. */
export class PlaceholderFault extends Error {}

/** What stands for whoever calls: filled in when a program is started for them, since each caller has a child of their own. */
const ofCaller: ReadonlySet<string> = new Set(['developer', 'user']);
const callerName = /\$\{(developer|user)\}/g;
const variable = /^(?:env:)?([A-Za-z_]\w*)(?:(:?-)([\s\S]*))?$/;
/** Editors ask a person for these, or themselves. */
const asksEditor = /^(?:input|promptString|command|config):/;

/**
 * A text with `${VAR}`, `${VAR:-default}` and `${env:VAR}` in place of the values, as Claude Code, Cursor and VS Code write
 * them, and the places that editors know (`${workspaceFolder}`, `${userHome}`). Other braces stand as they are.
 */
export function expandPlaceholders(text: string, source: PlaceholderSource): string {
  let expanded = '';
  let at = 0;
  for (let start = text.indexOf('${'); start !== -1; start = text.indexOf('${', at)) {
    const end = closingBrace(text, start + 2);
    if (end === -1) break;
    expanded += text.slice(at, start) + lookUp(text.slice(start + 2, end), source);
    at = end + 1;
  }
  return expanded + text.slice(at);
}

function lookUp(name: string, source: PlaceholderSource): string {
  if (ofCaller.has(name)) return `\${${name}}`;
  const place = placeOf(name, source);
  if (place !== undefined) return place;
  if (asksEditor.test(name)) throw new PlaceholderFault(`\${${name}} is known to an editor only`);
  const [, key, operator, fallback] = variable.exec(name) ?? [];
  if (key === undefined) return `\${${name}}`;
  const value = source.environment[key];
  const isThere = value !== undefined && (value !== '' || operator !== ':-');
  if (isThere) return value;
  if (fallback === undefined) throw new PlaceholderFault(`the environment has no ${key}`);
  return expandPlaceholders(fallback, source);
}

function placeOf(name: string, { environment, file }: PlaceholderSource): string | undefined {
  switch (name) {
    case 'userHome':
      return environment.HOME ?? environment.USERPROFILE;
    case 'workspaceFolder':
      return workspaceOf(file);
    case 'workspaceFolderBasename':
      return basename(workspaceOf(file));
    case '/':
    case 'pathSeparator':
      return '/';
    default:
      return undefined;
  }
}

/** The folder that the file is about: editors keep theirs one deeper. */
function workspaceOf(file: string): string {
  const folder = dirname(file);
  return /^\.(vscode|cursor)$/.test(basename(folder)) ? dirname(folder) : folder;
}

function closingBrace(text: string, from: number): number {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    if (text.startsWith('${', at)) depth++;
    else if (text[at] === '}' && --depth === 0) return at;
  }
  return -1;
}

/** Whether a program's values differ between callers. */
export function namesCaller(texts: readonly string[]): boolean {
  return texts.some((text) => text.search(callerName) !== -1);
}

/** The values for one caller. */
export function fillInCaller(
  text: string,
  caller: { readonly developer: string; readonly user: string },
): string {
  return text.replace(callerName, (_, name: 'developer' | 'user') => caller[name]);
}
