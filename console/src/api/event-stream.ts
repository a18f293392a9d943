/** The JSON of each event of a stream, as it comes (WHATWG HTML, "Server-sent events"; one `data` line an event). */
export async function* readEvents(reply: Response): AsyncGenerator<unknown> {
  const reader = reply.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) return;
  try {
    let rest = '';
    for (;;) {
      const { done, value = '' } = await reader.read();
      const lines = (rest + value).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('data: ')) yield JSON.parse(line.slice('data: '.length));
      if (done) return;
    }
  } finally {
    // Whoever stops reading ends the call.
    await reader.cancel().catch(() => undefined);
  }
}
