/** One conversation with a model, whatever the shape of its API. */
export type ModelAdapter = {
  /** What the model says next; `mayCall: false`: it has to answer in words. */
  next(tools: readonly OfferedTool[], mayCall: boolean, signal?: AbortSignal): Promise<ModelMessage>;
  /** What came of the calls of the last message, each of them. */
  answer(results: readonly CallResult[]): void;
};

export type OfferedTool = {
  /** What the model calls it: 1 to 64 of A-Z a-z 0-9 _ - */
  readonly alias: string;
  readonly description: string;
  readonly schema: Readonly<Record<string, unknown>>;
};
export type Call = { readonly id: string; readonly alias: string; readonly args: unknown };
export type ModelMessage = { readonly text: string; readonly calls: readonly Call[] };
export type CallResult = { readonly id: string; readonly text: string; readonly isError: boolean };

export type Opening = {
  readonly model: string;
  readonly system: string;
  readonly prompt: string;
  /** Further fields of every request to the model. */
  readonly parameters: Readonly<Record<string, unknown>>;
};

type Options = { readonly signal?: AbortSignal };
/** All that is used of the official OpenAI client, and of whatever else has its shape. */
export type OpenAiLike = {
  readonly chat: {
    readonly completions: {
      // `never`, so that whatever the official clients declare here fits; what they take is checked by the service behind it.
      create(request: never, options?: Options): PromiseLike<unknown>;
    };
  };
};
/** All that is used of the official Anthropic client. */
export type AnthropicLike = {
  readonly messages: { create(request: never, options?: Options): PromiseLike<unknown> };
};

type OpenAiMessage = {
  readonly content?: string | null;
  readonly tool_calls?: readonly {
    readonly id: string;
    readonly function: { readonly name: string; readonly arguments: string };
  }[];
};

export function openAiAdapter(client: OpenAiLike, opening: Opening): ModelAdapter {
  const { model, system, prompt, parameters } = opening;
  const messages: unknown[] = [
    { role: 'system', content: system },
    { role: 'user', content: prompt },
  ];
  return {
    async next(tools, mayCall, signal) {
      const offered = tools.map(({ alias, description, schema }) => ({
        type: 'function',
        function: { name: alias, description, parameters: schema },
      }));
      const request = {
        ...parameters,
        model,
        messages: [...messages],
        ...(offered.length === 0 ? {} : { tools: offered, tool_choice: mayCall ? 'auto' : 'none' }),
      };
      const reply = (await client.chat.completions.create(request as never, optionsOf(signal))) as {
        readonly choices?: readonly { readonly message?: OpenAiMessage }[];
      };
      const message = reply.choices?.[0]?.message;
      if (message === undefined) throw new TypeError('The model answered without choices[0].message');
      messages.push({ role: 'assistant', ...message });
      return {
        text: message.content ?? '',
        calls: (message.tool_calls ?? []).map(({ id, function: { name, arguments: text } }) => ({
          id,
          alias: name,
          args: parsed(text),
        })),
      };
    },
    answer(results) {
      for (const { id, text } of results) messages.push({ role: 'tool', tool_call_id: id, content: text });
    },
  };
}

type AnthropicBlock = {
  readonly type: string;
  readonly text?: string;
  readonly id?: string;
  readonly name?: string;
  readonly input?: unknown;
};
/** Its API wants a bound in every request. */
const maxTokens = 4_096;

export function anthropicAdapter(client: AnthropicLike, opening: Opening): ModelAdapter {
  const { model, system, prompt, parameters } = opening;
  const messages: unknown[] = [{ role: 'user', content: prompt }];
  return {
    async next(tools, mayCall, signal) {
      const offered = tools.map(({ alias, description, schema }) => ({
        name: alias,
        description,
        input_schema: schema,
      }));
      const request = {
        max_tokens: maxTokens,
        ...parameters,
        model,
        system,
        messages: [...messages],
        ...(offered.length === 0 ? {} : { tools: offered, tool_choice: { type: mayCall ? 'auto' : 'none' } }),
      };
      const reply = (await client.messages.create(request as never, optionsOf(signal))) as {
        readonly content?: readonly AnthropicBlock[];
      };
      if (!Array.isArray(reply.content)) throw new TypeError('The model answered without content');
      const content = reply.content as readonly AnthropicBlock[];
      messages.push({ role: 'assistant', content });
      return {
        text: content.flatMap(({ type, text }) => (type === 'text' ? [text ?? ''] : [])).join(''),
        calls: content.flatMap(({ type, id = '', name = '', input }) =>
          type === 'tool_use' ? [{ id, alias: name, args: input }] : [],
        ),
      };
    },
    answer(results) {
      messages.push({
        role: 'user',
        content: results.map(({ id, text, isError }) => ({
          type: 'tool_result',
          tool_use_id: id,
          content: text,
          ...(isError ? { is_error: true } : {}),
        })),
      });
    },
  };
}

function optionsOf(signal: AbortSignal | undefined): Options {
  return signal === undefined ? {} : { signal };
}

/** Models write JSON now and then that is none: the tool's own check of its arguments tells them. */
function parsed(text: string): unknown {
  try {
    return text === '' ? {} : JSON.parse(text);
  } catch {
    return undefined;
  }
}
