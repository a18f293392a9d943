/** A browser as far as OAuth needs one: cookies by host, redirects, forms. */
export type Page = {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
};

export type Browser = {
  /** One request; redirects are not followed. */
  open(url: string, form?: Readonly<Record<string, string>>): Promise<Page>;
  /** Until there is a page. */
  follow(url: string, form?: Readonly<Record<string, string>>): Promise<Page>;
  /** Fills in nothing and presses the button of the page's only form. */
  submit(page: Page): Promise<Page>;
  readonly cookies: Map<string, string>;
};

/** `at`: where a URL is really reached, for names that nobody resolves. */
export function createBrowser(at: (url: string) => string = (url) => url): Browser {
  const cookies = new Map<string, string>();

  const open: Browser['open'] = async (url, form) => {
    const { host } = new URL(url);
    const known = [...cookies].filter(([key]) => key.startsWith(`${host} `));
    const reply = await fetch(at(url), {
      method: form === undefined ? 'GET' : 'POST',
      redirect: 'manual',
      headers: {
        cookie: known.map(([key, value]) => `${key.slice(host.length + 1)}=${value}`).join('; '),
        ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      ...(form === undefined ? {} : { body: new URLSearchParams(form).toString() }),
    });
    for (const line of reply.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/expires=Thu, 01 Jan 1970/i.test(line)) cookies.delete(`${host} ${name}`);
      else cookies.set(`${host} ${name}`, value);
    }
    return { url, status: reply.status, headers: reply.headers, text: await reply.text() };
  };

  const follow: Browser['follow'] = async (url, form) => {
    let page = await open(url, form);
    for (let hops = 0; hops < 20; hops++) {
      const location = page.headers.get('location');
      if (page.status < 300 || page.status > 399 || location === null) return page;
      page = await open(new URL(location, page.url).href);
    }
    throw new Error(`redirects without end at ${page.url}`);
  };

  return {
    open,
    follow,
    cookies,
    submit(page) {
      const action = /<form[^>]* action="([^"]+)"/.exec(page.text)?.[1];
      if (action === undefined) throw new Error(`no form on the page: ${page.text}`);
      const fields = [...page.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
      return follow(
        new URL(action, page.url).href,
        Object.fromEntries(fields.map(([, name = '', value = '']) => [name, value])),
      );
    },
  };
}
