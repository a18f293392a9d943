import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = process.env.MCP_PYTHON ?? join(tmpdir(), 'mcp-python');

/** The interpreters with the packages of test/full/python/requirements-1.txt and -2.txt: a generation of the SDK each. */
export const python = { 1: join(folder, '1/bin/python'), 2: join(folder, '2/bin/python') } as const;

/** A test's `skip`. */
export const pythonMissing: false | string =
  existsSync(python[1]) && existsSync(join(folder, '2/bin/mcp-server-git'))
    ? false
    : `needs the Python packages of test/full/python in ${folder}, where .ci/run puts them (or name it in MCP_PYTHON)`;
