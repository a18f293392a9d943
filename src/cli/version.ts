import { version } from '../app.ts';
import { print } from './output.ts';

export function printVersion(json: boolean): void {
  print(json, { version, node: process.version }, [`mcprank ${version} (Node ${process.version})`]);
}
