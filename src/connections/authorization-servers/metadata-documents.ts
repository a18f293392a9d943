import type { JsonObject } from '../../base/json.ts';
import { Problem } from '../../base/problem.ts';
import { type Outbound, OutboundFailure, type OutboundReply } from '../../outbound/outbound.ts';
import { parseObject, withoutEmpty } from '../providers/token-reply.ts';

/** The documents are there, and they are not to be followed; the message is for the caller. */
export class DiscoveryRefusal extends Error {}

/** What stands at a place is no document at all: an application's page, a redirect, an error. */
export class NoDocument extends DiscoveryRefusal {}

export type MetadataDocuments = {
  /** Without members that are null or empty. null: there is no such document. Throws DiscoveryRefusal, and OutboundFailure when nobody can be reached. */
  read(url: string): Promise<JsonObject | null>;
  /** Posts JSON, as a stranger would unless `fields` say who we are. */
  post(url: string, fields: Readonly<Record<string, string>>, body: string): Promise<OutboundReply>;
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
      const { status, body } = await request({ ...limits, method: 'GET', url, headers }).catch(
        (error: unknown) => {
          if (!(error instanceof OutboundFailure) || error.reason !== 'too_large') throw error;
          throw new NoDocument(`${url} is larger than any document`, { cause: error });
        },
      );
      if (status >= 400 && status < 500) return null;
      if (status !== 200) throw new NoDocument(`${url} answers ${status}`);
      const document = parseObject(body.toString('utf8'));
      if (document === undefined) throw new NoDocument(`${url} is not a JSON document`);
      return withoutEmpty(document);
    },
    post: (url, fields, body) =>
      request({
        ...limits,
        method: 'POST',
        url,
        headers: { ...agent, 'content-type': 'application/json', ...fields },
        body,
      }),
  };
}

/**
 * The first of several places at which something usable stands; places that answer with something else are passed over.
 * null: there is nothing at any of them. Throws why the most telling of them is not usable.
 */
export async function firstUsable<T>(
  places: readonly string[],
  use: (place: string) => Promise<T | null>,
): Promise<T | null> {
  let refusal: DiscoveryRefusal | undefined;
  for (const place of places) {
    try {
      const found = await use(place);
      if (found !== null) return found;
    } catch (error) {
      if (!(error instanceof DiscoveryRefusal)) throw error;
      if (refusal === undefined || refusal instanceof NoDocument) refusal = error;
    }
  }
  if (refusal !== undefined) throw refusal;
  return null;
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
