/** JSON that is kept as the text that came: parsed and written anew, `1.0` would be `1` and 2^53 + 1 another number. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}
