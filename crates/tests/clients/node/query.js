// Scans, secondary indexes and queries with them, and operations in the background.

'use strict'

const Aerospike = require('aerospike')
const { contains, equal, fails, sleep } = require('./expect')

const { exp, filter, GeoJSON, Key } = Aerospike
const { LIST, MAPKEYS, MAPVALUES } = Aerospike.indexType
const { NUMERIC, STRING, BLOB, GEO2DSPHERE } = Aerospike.indexDataType
const op = Aerospike.operations

const INDEX_NOT_FOUND = 201
const COUNT = 300
const POLL_MS = 50
const SET = 'queries'
const CHANGES = 'query_changes'
const BACKGROUND = 'query_background'
const DEEP = new Aerospike.cdt.Context().addMapKey('deep')

const INDEXES = [
  { set: SET, bin: 'n', datatype: NUMERIC },
  { set: SET, bin: 's', datatype: STRING },
  { set: SET, bin: 'b', datatype: BLOB },
  { set: SET, bin: 'p', datatype: GEO2DSPHERE },
  { set: SET, bin: 'r', datatype: GEO2DSPHERE },
  { set: SET, bin: 'l', datatype: NUMERIC, type: LIST },
  { set: SET, bin: 'm', datatype: STRING, type: MAPKEYS },
  { set: SET, bin: 'm', datatype: NUMERIC, type: MAPVALUES },
  { set: SET, bin: 'd', datatype: NUMERIC, type: LIST, context: DEEP },
  { set: CHANGES, bin: 'n', datatype: NUMERIC },
  { set: BACKGROUND, bin: 'n', datatype: NUMERIC }
].map((index, number) => ({ ns: 'test', index: `index_${number}`, ...index }))

// --- the records ---

/** Longitude and latitude of a record's point; its region is a square around it. */
function placeOf (number) {
  return [number % 20, Math.floor(number / 20)]
}

function rectangle (left, bottom, right, top) {
  const corners = [[left, bottom], [right, bottom], [right, top], [left, top], [left, bottom]]
  return new GeoJSON({ type: 'Polygon', coordinates: [corners] })
}

function listOf (number) {
  return [number % 10, 100 + number % 3]
}

function binsFor (number) {
  const [x, y] = placeOf(number)
  return {
    n: number,
    s: `group ${number % 7}`,
    b: Buffer.from([number % 5, 255]),
    l: listOf(number),
    m: { [`k${number % 4}`]: number % 6, all: 1000 + number },
    d: { deep: [number % 8, 50] },
    p: new GeoJSON({ type: 'Point', coordinates: [x, y] }),
    r: rectangle(x - 0.75, y - 0.75, x + 0.75, y + 0.75)
  }
}

function range (begin, end) {
  return Array.from({ length: end - begin }, (_, index) => begin + index)
}

/** The numbers of the records for which this is so. */
function those (condition) {
  return range(0, COUNT).filter(condition)
}

// --- asking for them ---

/** Which records these are, each as often as it was returned. */
function numbers (records) {
  return records.map(record => record.bins.n).sort((a, b) => a - b)
}

function query (client, where, set = SET, policy = {}, options = {}) {
  const query = client.query('test', set, options)
  query.where(where)
  return query.results(policy)
}

/** A query with this where clause finds these records. */
async function finds (client, where, expected, set = SET) {
  equal(numbers(await query(client, where, set)), expected)
}

/** One record in seven has this text. */
const IS_GROUP_2 = { filterExpression: exp.eq(exp.binStr('s'), exp.str('group 2')) }

/** All that a scan or a query returns, page by page. */
async function pages (question, policy, isComplete) {
  const all = []
  do {
    const page = await question.results(policy)
    equal(page.length <= 70, true)
    all.push(...page)
  } while (!isComplete(question))
  return numbers(all)
}

/** All that comes of each quarter of the partitions. */
async function quarters (question) {
  const all = []
  for (let begin = 0; begin < 4096; begin += 1024) {
    const some = question()
    some.partitions(begin, 1024)
    const records = await some.results()
    equal(records.length > 0 && records.length < COUNT, true)
    all.push(...records)
  }
  return numbers(all)
}

// --- operations in the background ---

/** Writes 200 records; their keys and generations. */
async function backgroundRecords (client) {
  const policy = { exists: Aerospike.policy.exists.CREATE_OR_REPLACE }
  const keys = range(0, 200).map(number => new Key('test', BACKGROUND, number))
  const generations = []
  for (const [n, key] of keys.entries()) {
    await client.put(key, { n, count: 0 }, {}, policy)
    generations.push((await client.get(key)).gen)
  }
  return { keys, generations }
}

/**
 * Writes the records, lets `start` begin a job, waits for it, and compares the records with those
 * expected. Those that change have a higher generation then.
 */
async function runInBackground (client, start, expected) {
  const { keys, generations } = await backgroundRecords(client)
  const job = await start()
  await job.wait(POLL_MS)
  for (const [n, key] of keys.entries()) {
    const record = await client.get(key)
    equal({ ...record.bins }, expected(n) ?? { n, count: 0 })
    equal(record.gen, generations[n] + (expected(n) === undefined ? 0 : 1))
  }
}

/** Checks by name: each gets the client. */
module.exports = {
  async scan_set (client) {
    for (let n = 0; n < COUNT; n++) await client.put(new Key('test', SET, n), binsFor(n))
    const records = await client.scan('test', SET).results()
    equal(numbers(records), range(0, COUNT))
    for (const record of records) {
      equal(record.gen, 1)
      equal(record.bins.l, listOf(record.bins.n))
      equal(Object.keys(record.bins).length, 8)
    }
    equal(await client.scan('test', 'no_such_set').results(), [])
  },

  async scan_bins (client) {
    const scan = client.scan('test', SET)
    scan.select('n', 's', 'none')
    const records = await scan.results()
    equal(numbers(records), range(0, COUNT))
    for (const record of records) {
      const { n } = record.bins
      equal({ ...record.bins }, { n, s: `group ${n % 7}` })
    }
  },

  async scan_no_bins (client) {
    const records = await client.scan('test', SET, { nobins: true }).results()
    equal(records.length, COUNT)
    equal(new Set(records.map(record => record.key.digest.toString('hex'))).size, COUNT)
    equal(records.every(record => Object.keys(record.bins ?? {}).length === 0), true)
  },

  async scan_max_records (client) {
    const records = await client.scan('test', SET).results({ maxRecords: 50 })
    equal([records.length, new Set(numbers(records)).size], [50, 50])
  },

  async scan_rate (client) {
    const records = await client.scan('test', SET).results({ recordsPerSecond: 1000 })
    equal(numbers(records), range(0, COUNT))
  },

  async scan_filter (client) {
    const records = await client.scan('test', SET).results(IS_GROUP_2)
    equal(numbers(records), those(n => n % 7 === 2))
  },

  async scan_partitions (client) {
    equal(await quarters(() => client.scan('test', SET)), range(0, COUNT))
  },

  async scan_resume (client) {
    const scan = client.scan('test', SET, { paginate: true })
    const all = await pages(scan, { maxRecords: 70 }, scan => scan.scanState === undefined)
    equal(all, range(0, COUNT))
  },

  async index_create (client) {
    const jobs = await Promise.all(INDEXES.map(index => client.createIndex(index)))
    await Promise.all(jobs.map(job => job.wait(POLL_MS)))
  },

  async query_integer (client) {
    await finds(client, filter.equal('n', 42), [42])
    await finds(client, filter.range('n', 100, 149), range(100, 150))
    await finds(client, filter.range('n', -5, 3), range(0, 4))
    await finds(client, filter.equal('n', COUNT), [])
  },

  async query_string (client) {
    await finds(client, filter.equal('s', 'group 3'), those(n => n % 7 === 3))
    await finds(client, filter.equal('s', 'group 7'), [])
  },

  async query_blob (client) {
    await finds(client, filter.equal('b', Buffer.from([2, 255])), those(n => n % 5 === 2))
    await finds(client, filter.equal('b', Buffer.from([2])), [])
  },

  async query_list (client) {
    await finds(client, filter.contains('l', 4, LIST), those(n => n % 10 === 4))
    await finds(client, filter.contains('l', 101, LIST), those(n => n % 3 === 1))
    await finds(client, filter.range('l', 3, 5, LIST), those(n => n % 10 >= 3 && n % 10 <= 5))
  },

  async query_map (client) {
    await finds(client, filter.contains('m', 'k2', MAPKEYS), those(n => n % 4 === 2))
    await finds(client, filter.contains('m', 'all', MAPKEYS), range(0, COUNT))
    await finds(client, filter.contains('m', 5, MAPVALUES), those(n => n % 6 === 5))
    await finds(client, filter.range('m', 1010, 1019, MAPVALUES), range(10, 20))
  },

  async query_nested (client) {
    await finds(client, filter.contains('d', 6, LIST, DEEP), those(n => n % 8 === 6))
    await finds(client, filter.range('d', 2, 3, LIST, DEEP), those(n => [2, 3].includes(n % 8)))
  },

  async query_geo_region (client) {
    const inBox = those(n => {
      const [x, y] = placeOf(n)
      return x >= 5 && x <= 9 && y >= 3 && y <= 6
    })
    const inCircle = those(n => {
      const [x, y] = placeOf(n)
      return (x - 10) ** 2 + (y - 5) ** 2 <= 7
    })
    const region = rectangle(4.5, 2.5, 9.5, 6.5)
    await finds(client, filter.geoWithinGeoJSONRegion('p', region), inBox)
    await finds(client, filter.geoWithinRadius('p', 10, 5, 300000), inCircle)
  },

  async query_geo_point (client) {
    const near = those(n => {
      const [x, y] = placeOf(n)
      return Math.abs(x - 7.2) < 0.75 && Math.abs(y - 4.3) < 0.75
    })
    await finds(client, filter.geoContainsPoint('r', 7.2, 4.3), near)
    await finds(client, filter.geoContainsPoint('r', -40, 4.3), [])
  },

  async query_filter (client) {
    const records = await query(client, filter.range('n', 50, 99), SET, IS_GROUP_2)
    equal(numbers(records), those(n => n >= 50 && n < 100 && n % 7 === 2))
  },

  async query_bins (client) {
    const some = filter.range('n', 10, 12)
    const records = await query(client, some, SET, {}, { select: ['n', 'l'] })
    equal(numbers(records), [10, 11, 12])
    for (const record of records) {
      const { n } = record.bins
      equal({ ...record.bins }, { n, l: listOf(n) })
    }
    const headers = await query(client, some, SET, {}, { nobins: true })
    equal(headers.map(record => Object.keys(record.bins ?? {}).length), [0, 0, 0])
  },

  async query_max_records (client) {
    const records = await query(client, filter.range('n', 100, 199), SET, {}, { maxRecords: 20 })
    const some = numbers(records)
    equal([some.length, new Set(some).size], [20, 20])
    equal(some.every(n => n >= 100 && n < 200), true)
  },

  async query_resume (client) {
    const paged = client.query('test', SET, { paginate: true, maxRecords: 70 })
    paged.where(filter.range('n', 20, 279))
    equal(await pages(paged, {}, query => query.queryState === undefined), range(20, 280))
    const group = () => {
      const query = client.query('test', SET)
      query.where(filter.equal('s', 'group 1'))
      return query
    }
    equal(await quarters(group), those(n => n % 7 === 1))
  },

  async query_short (client) {
    const policy = { expectedDuration: Aerospike.policy.queryDuration.SHORT }
    const records = await query(client, filter.range('n', 5, 30), SET, policy)
    equal(numbers(records), range(5, 31))
  },

  async query_changes (client) {
    const keys = range(0, 20).map(number => new Key('test', CHANGES, number))
    for (const [n, key] of keys.entries()) await client.put(key, { n, other: 1 })
    const every = filter.range('n', 0, 999)
    await finds(client, every, range(0, 20), CHANGES)
    await client.put(keys[3], { n: 103 })
    await client.add(keys[4], { n: 100 })
    await client.remove(keys[5])
    await client.put(keys[6], { n: null })
    await client.put(keys[7], { n: 'text' })
    await client.put(keys[8], { n: 8, more: 2 })
    await finds(client, filter.equal('n', 3), [], CHANGES)
    await finds(client, every, [...range(0, 3), ...range(8, 20), 103, 104], CHANGES)
    await client.put(keys[5], { n: 5 })
    await finds(client, filter.equal('n', 5), [5], CHANGES)
  },

  async query_expired (client) {
    for (const n of range(2000, 2010)) {
      await client.put(new Key('test', CHANGES, n), { n }, { ttl: n % 2 === 0 ? 1000 : 1 })
    }
    await sleep(3000)
    await finds(client, filter.range('n', 2000, 2999), [2000, 2002, 2004, 2006, 2008], CHANGES)
  },

  async query_no_index (client) {
    await fails(INDEX_NOT_FOUND, query(client, filter.equal('none', 1)))
    await fails(INDEX_NOT_FOUND, query(client, filter.equal('n', 'text')))
    await fails(INDEX_NOT_FOUND, query(client, filter.contains('l', 1, MAPKEYS)))
    await fails(INDEX_NOT_FOUND, query(client, filter.equal('n', 1), 'no_such_set'))
  },

  async background_scan (client) {
    const operations = [op.incr('count', 1), op.write('done', 'yes')]
    const start = () => client.scan('test', BACKGROUND).operate(operations)
    await runInBackground(client, start, n => ({ n, count: 1, done: 'yes' }))
  },

  async background_query (client) {
    const start = () => {
      const query = client.query('test', BACKGROUND)
      query.where(filter.range('n', 50, 99))
      // Every changed record stays in the index, under another value.
      return query.operate([op.incr('count', 1), op.incr('n', 30)])
    }
    await runInBackground(client, start, n =>
      n >= 50 && n < 100 ? { n: n + 30, count: 1 } : undefined)
  },

  async background_filter (client) {
    const policy = { filterExpression: exp.lt(exp.binInt('n'), exp.int(60)) }
    const start = () => {
      const query = client.query('test', BACKGROUND)
      query.where(filter.range('n', 50, 99))
      return query.operate([op.incr('count', 1)], policy)
    }
    await runInBackground(client, start, n =>
      n >= 50 && n < 60 ? { n, count: 1 } : undefined)
  },

  async background_abort (client) {
    await backgroundRecords(client)
    const scan = client.scan('test', BACKGROUND)
    const job = await scan.operate([op.incr('count', 1)], { recordsPerSecond: 20 })
    // Every node has its part of the job.
    const allSay = async (command, part) => {
      const replies = await client.infoAll(`${command}:trid=${job.jobID}`)
      for (const { info } of replies) contains(info.split('\t').pop(), part)
    }
    await sleep(500)
    await allSay('query-show', ':status=active(ok):')
    await allSay('query-abort', 'ok')
    await job.wait(POLL_MS)
    await allSay('query-show', ':status=done(user-aborted):')
    const records = await client.scan('test', BACKGROUND).results()
    const changed = records.reduce((sum, record) => sum + record.bins.count, 0)
    equal(changed > 0 && changed < 200, true)
  },

  async index_drop (client) {
    await finds(client, filter.equal('n', 42), [42])
    await Promise.all(INDEXES.map(index => client.indexRemove('test', index.index)))
    await fails(INDEX_NOT_FOUND, query(client, filter.equal('n', 42)))
    await fails(INDEX_NOT_FOUND, query(client, filter.contains('l', 4, LIST)))
    await fails(INDEX_NOT_FOUND, query(client, filter.contains('d', 6, LIST, DEEP)))
    // Created again, it has the records that exist already.
    await (await client.createIndex(INDEXES[0])).wait(POLL_MS)
    await finds(client, filter.equal('n', 42), [42])
    await client.indexRemove('test', INDEXES[0].index)
  }
}
