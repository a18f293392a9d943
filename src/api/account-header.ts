import { accountNameForm, isAccountName } from '../base/account-name.ts';
import { Problem } from '../base/problem.ts';
import type { User } from '../identity/identity.ts';

/** `X-MCPRank-Account`: by which of the user's accounts a call goes; undefined: by the default. Throws `invalid_request`. */
export function accountIn(headers: Readonly<Record<string, unknown>>, user: User | null): string | undefined {
  const named = headers['x-mcprank-account'];
  if (named === undefined) return undefined;
  if (typeof named !== 'string' || !isAccountName(named))
    throw new Problem('invalid_request', `X-MCPRank-Account: ${accountNameForm}`);
  if (user === null)
    throw new Problem('invalid_request', 'X-MCPRank-Account: only with a user, whose account it is');
  return named;
}
