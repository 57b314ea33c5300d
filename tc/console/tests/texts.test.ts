import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fill, languageOf, translate } from '../src/i18n';
import { en } from '../src/i18n/en';
import { zh } from '../src/i18n/zh';
import { duration, number, shortXid } from '../src/lib/format';

const places = (text: string) => [...text.matchAll(/\{(\w+)/g)].map((m) => m[1]);

test('both languages have the same keys, and none is empty', () => {
	assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort());
	assert.ok(Object.keys(en).length > 200);
	for (const [key, text] of [...Object.entries(en), ...Object.entries(zh)])
		assert.ok(text.trim(), `${key} is empty`);
});

test('a translation fills in the same names', () => {
	for (const key of Object.keys(en) as (keyof typeof en)[])
		assert.deepEqual(
			[...new Set(places(zh[key]))].sort(),
			[...new Set(places(en[key]))].sort(),
			key,
		);
});

test('the Chinese texts are Chinese', () => {
	const names = /^(menu\.sagas|kind\.saga)$/; // Saga is called Saga
	for (const [key, text] of Object.entries(zh))
		if (!names.test(key)) assert.match(text, /[\u4e00-\u9fff]/, key);
});

test('names are filled in, and the plural follows the number', () => {
	assert.equal(fill('{n} lock {n|key|keys}', { n: 1 }), '1 lock key');
	assert.equal(fill('{n} lock {n|key|keys}', { n: 2 }), '2 lock keys');
	assert.equal(fill('{who} is unknown', {}), '{who} is unknown');
	assert.equal(translate('zh', 'branch.n', { id: '7' }), '分支 7');
});

test('the language is the first that we know', () => {
	assert.equal(languageOf(['de-DE', 'zh-TW', 'en']), 'zh');
	assert.equal(languageOf(['de-DE', 'en-US', 'zh']), 'en');
	assert.equal(languageOf([]), 'en');
});

test('spans show their two largest units', () => {
	assert.equal(duration(0, 'en'), '0ms');
	assert.equal(duration(999, 'en'), '999ms');
	assert.equal(duration(1239, 'en'), '1.23s');
	assert.equal(duration(59_999, 'en'), '59s');
	assert.equal(duration(61_000, 'en'), '1m 1s');
	assert.equal(duration(3_600_000, 'en'), '1h');
	assert.equal(duration(90_000_000, 'en'), '1d 1h');
	assert.match(duration(61_000, 'zh'), /1分钟? 1秒/);
});

test('numbers are grouped, an xid is short by its number', () => {
	assert.equal(number(1234567, 'en'), '1,234,567');
	assert.equal(shortXid('127.0.0.1:7090:2718281828000000017'), '2718281828000000017');
});
