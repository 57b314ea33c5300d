/* Every text of the console in both languages. */
import { remember, remembered, store, useStore } from '../lib/store';
import { en } from './en';
import { zh } from './zh';

export type Lang = 'en' | 'zh';
export type Key = keyof typeof en;
export type Params = Record<string, string | number>;

const dictionaries: Record<Lang, Record<Key, string>> = { en, zh };

export function languageOf(wanted: readonly string[]): Lang {
	for (const tag of wanted) {
		if (/^zh\b/i.test(tag)) return 'zh';
		if (/^en\b/i.test(tag)) return 'en';
	}
	return 'en';
}

function first(): Lang {
	const chosen = remembered('language');
	if (chosen === 'en' || chosen === 'zh') return chosen;
	return languageOf(typeof navigator === 'undefined' ? [] : (navigator.languages ?? []));
}

export const language = store<Lang>(first());

export function setLanguage(lang: Lang): void {
	remember('language', lang);
	language.set(lang);
}

/* The text with its {names} filled in; "{n|one|other}" chooses by number. */
export function fill(text: string, params: Params): string {
	return text
		.replace(/\{(\w+)\|([^|}]*)\|([^}]*)\}/g, (_, name, one, other) =>
			String(params[name]) === '1' ? one : other,
		)
		.replace(/\{(\w+)\}/g, (_, name) => String(params[name] ?? `{${name}}`));
}

export function translate(lang: Lang, key: Key, params: Params = {}): string {
	return fill(dictionaries[lang][key], params);
}

export function t(key: Key, params: Params = {}): string {
	return translate(language.get(), key, params);
}

export function hasKey(key: string): key is Key {
	return Object.prototype.hasOwnProperty.call(en, key);
}

/* A word of the API, such as a status: in the reader's language if we know it,
 * else as it came. */
export function word(kind: string, value: string): string {
	const key = `${kind}.${value}`;
	return hasKey(key) ? t(key) : value;
}

export function useLanguage(): Lang {
	return useStore(language);
}
