import { isObject, type JsonObject } from '../../base/json.ts';
import { Problem } from '../../base/problem.ts';
import type { Outbound, OutboundReply } from '../../outbound/outbound.ts';

/** The documents are there, and they are not to be followed; the message is for the caller. */
export class DiscoveryRefusal extends Error {}

export type MetadataDocuments = {
  /** null: there is no such document. Throws DiscoveryRefusal, and OutboundFailure when nobody can be reached. */
  read(url: string): Promise<JsonObject | null>;
  /** Posts JSON as a stranger would. */
  post(url: string, accept: string, body: string): Promise<OutboundReply>;
};

/** Larger or slower documents than any real one are cut off (threats N9). */
const limits = { timeoutMs: 5_000, firstByteMs: 5_000, maxBytes: 65_536 };
const agent = { 'user-agent': 'mcprank' };

export function createMetadataDocuments(outbound: Pick<Outbound, 'request'>): MetadataDocuments {
  const request = (fields: Parameters<Outbound['request']>[0]) =>
    outbound.request(fields).catch((error: unknown) => {
      // Not the caller's URL: that of a document, and what is wrong with it is no news for whoever wrote it (threats E8).
      if (!(error instanceof Problem) || error.kind !== 'invalid_request') throw error;
      throw new DiscoveryRefusal('its metadata names a place that is not spoken to', { cause: error });
    });
  return {
    async read(url) {
      const headers = { ...agent, accept: 'application/json' };
      const { status, body } = await request({ ...limits, method: 'GET', url, headers });
      if (status >= 400 && status < 500) return null;
      if (status !== 200) throw new DiscoveryRefusal(`${url} answers ${status}`);
      try {
        const value: unknown = JSON.parse(body.toString('utf8'));
        if (isObject(value)) return value;
      } catch {
        // Reported below.
      }
      throw new DiscoveryRefusal(`${url} is not a JSON document`);
    },
    post: (url, accept, body) =>
      request({
        ...limits,
        method: 'POST',
        url,
        headers: { ...agent, 'content-type': 'application/json', accept },
        body,
      }),
  };
}

/** From documents of others: never `javascript:` or the like (threats F14); where it may lead is outbound's to say. */
export function checkedUrl(text: string): string {
  if (!isWebUrl(text)) throw new DiscoveryRefusal('its metadata names something that is no http(s) URL');
  return text;
}

export function isWebUrl(value: unknown): value is string {
  const url = typeof value === 'string' ? URL.parse(value) : null;
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.hash === '';
}

/** The texts of a list in a document of somebody else. */
export function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string').slice(0, 200) : [];
}
