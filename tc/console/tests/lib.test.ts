import assert from 'node:assert/strict';
import { test } from 'node:test';
import { path, Problem, problemOf } from '../src/lib/api';
import { Exact, parseJson, pretty, printJson } from '../src/lib/json';
import { nextDelay, Poller } from '../src/lib/live';
import { push, rates, spark } from '../src/lib/rates';
import { placeOf, urlOf } from '../src/lib/router';
import type { Stats } from '../src/lib/types';
import { ageParam } from '../src/pages/overview';
import { cleanQuery } from '../src/pages/tx-list';

test('no digit of a number is lost', () => {
	const text = '{"id":2718281828000000017,"n":1.5,"s":"9007199254740993 \\" 1","d":0.12345678901234567891}';
	const value = parseJson(text) as Record<string, unknown>;
	assert.ok(value.id instanceof Exact);
	assert.equal((value.id as Exact).text, '2718281828000000017');
	assert.equal(value.n, 1.5);
	assert.equal(value.s, '9007199254740993 " 1');
	assert.match(printJson(value as never), /"d": 0\.12345678901234567891/);
	assert.equal(pretty('[-9007199254740993]'), '[\n  -9007199254740993\n]');
	assert.equal(pretty('no json'), 'no json');
	assert.equal(printJson({}), '{}');
});

test('a path is escaped, and what is not asked is left out', () => {
	assert.equal(path(['a/b', 'c?']), 'a%2Fb/c%3F');
	assert.equal(path(['t'], { text: 'a&b', after: undefined, hung: '' }), 't?text=a%26b');
});

test('links lead where they say', () => {
	const url = urlOf(['transactions', '127.0.0.1:7090:42'], { state: 'finished', text: 'ü &' });
	assert.equal(url, '/console/transactions/127.0.0.1:7090:42?state=finished&text=%C3%BC+%26');
	assert.deepEqual(placeOf(url), {
		parts: ['transactions', '127.0.0.1:7090:42'],
		query: { state: 'finished', text: 'ü &' },
	});
	assert.deepEqual(placeOf(urlOf(['machines', 'a/b'])).parts, ['machines', 'a/b']);
	assert.deepEqual(placeOf('/').parts, []);
	assert.deepEqual(placeOf('/console/%E4').parts, ['%E4']);
});

test('of the archive only what it knows is asked', () => {
	const all = { state: 'finished', hung: 'true', resource: 'r', min_age: '1s', text: 'x', kind: 'saga', other: '1' };
	assert.deepEqual(cleanQuery(all, 'transactions'), { state: 'finished', text: 'x', kind: 'saga' });
	assert.deepEqual(cleanQuery({ ...all, state: '' }, 'sagas'), {
		hung: 'true', resource: 'r', min_age: '1s', text: 'x',
	});
});

test('an age is asked with its largest unit', () => {
	assert.deepEqual([1000, 10_000, 900_000, 3_600_000, 86_400_000].map(ageParam), ['1s', '10s', '15m', '1h', '1d']);
});

test('an error is a problem with its code, whoever answered', () => {
	const p = problemOf(409, '{"code":"wrong_state","detail":"it has finished"}');
	assert.deepEqual([p.status, p.code, p.detail], [409, 'wrong_state', 'it has finished']);
	assert.equal(problemOf(502, '<html>').code, 'http');
});

test('failures are asked again later and later, but within half a minute', () => {
	assert.equal(nextDelay(2000, 0, 0.5), 2000);
	assert.equal(nextDelay(500, 1, 0.5), 1000);
	assert.equal(nextDelay(500, 4, 0.5), 8000);
	assert.equal(nextDelay(500, 60, 0.5), 30_000);
	assert.equal(nextDelay(500, 60, 1), 36_000);
});

test('a poller says what came, what failed, and nothing after its end', async () => {
	const said: string[] = [];
	let n = 0;
	const poller = new Poller(
		async () => {
			if (++n === 2) throw new Problem(503, 'closing', '');
			return `text ${n}`;
		},
		60_000,
		(text) => said.push(text),
		(error) => said.push(error.code),
		() => false,
	);
	await poller.run();
	await poller.run();
	await poller.run();
	poller.close();
	await poller.run();
	poller.close();
	assert.deepEqual(said, ['text 1', 'closing', 'text 3']);
});

const stats = (ms: number, begun: number) =>
	({ uptime_ms: ms, core: { begun }, store: {} }) as unknown as Stats;

test('rates are by the coordinator\'s clock and begin anew with it', () => {
	let s = push([], stats(1000, 10));
	s = push(s, stats(3000, 30));
	s = push(s, stats(3000, 30)); // the same answer twice
	s = push(s, stats(4000, 35));
	assert.deepEqual(rates(s, (x) => x.core.begun), [10, 5]);
	s = push(s, stats(10, 0));
	assert.deepEqual(rates(s, (x) => x.core.begun), []);
	assert.equal(spark([0, 10], 100, 24, false), 'M0.0,22.0L100.0,2.0');
	assert.equal(spark([], 100, 24, true), '');
});
