// FormData (XMLHttpRequest standard, 5).
import { loggedState } from "../logging/inspect";
import { Blob, File } from "./blob";

export type FormValue = string | File;

/** Converts a blob to a file; its name is the given one, else its own, else "blob". */
function formValue(value: unknown, filename: string | undefined): FormValue {
  if (!(value instanceof Blob)) return String(value);
  if (value instanceof File && filename === undefined) return value;
  return new File([value], filename ?? "blob", { type: value.type });
}

export class FormData {
  #entries: [string, FormValue][] = [];

  append(name: string, value: unknown, filename?: string): void {
    this.#entries.push([String(name), formValue(value, filename)]);
  }

  set(name: string, value: unknown, filename?: string): void {
    const key = String(name);
    const entry: [string, FormValue] = [key, formValue(value, filename)];
    const first = this.#entries.findIndex((other) => other[0] === key);
    if (first < 0) {
      this.#entries.push(entry);
      return;
    }
    this.#entries[first] = entry;
    this.#entries = this.#entries.filter((other, i) => i <= first || other[0] !== key);
  }

  delete(name: string): void {
    this.#entries = this.#entries.filter((entry) => entry[0] !== String(name));
  }

  get(name: string): FormValue | null {
    return this.#entries.find((entry) => entry[0] === String(name))?.[1] ?? null;
  }

  getAll(name: string): FormValue[] {
    return this.#entries.filter((entry) => entry[0] === String(name)).map((entry) => entry[1]);
  }

  has(name: string): boolean {
    return this.#entries.some((entry) => entry[0] === String(name));
  }

  forEach(callback: (value: FormValue, name: string, form: FormData) => void, self?: unknown): void {
    for (const [name, value] of this) callback.call(self, value, name, this);
  }

  *entries(): Generator<[string, FormValue]> {
    for (let i = 0; i < this.#entries.length; i++) yield [this.#entries[i]![0], this.#entries[i]![1]];
  }

  *keys(): Generator<string> {
    for (const [name] of this.entries()) yield name;
  }

  *values(): Generator<FormValue> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): Generator<[string, FormValue]> {
    return this.entries();
  }

  get [Symbol.toStringTag](): string {
    return "FormData";
  }

  *[loggedState](): Generator<[string, unknown]> {
    yield* this.entries();
  }
}
