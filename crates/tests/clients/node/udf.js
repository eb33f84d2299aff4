// Functions in Lua: on records, in batches, in the background, and in aggregations.

'use strict'

const path = require('node:path')
const Aerospike = require('aerospike')
const { bins, contains, equal, fails } = require('./expect')

const { batchType, filter, Key } = Aerospike

const UDF_EXECUTION = 100
/** The client's own code for an aggregation that ended with a failure. */
const CLIENT_ERROR = -1
const COUNT = 200
const POLL_MS = 50
const SET = 'udfs'
const MODULE = 'checks'
const FILE = `${MODULE}.lua`
const TOTAL = COUNT * (COUNT - 1) / 2

/** Where the modules are. */
const FOLDER = process.argv[4]

async function register (client, file) {
  const job = await client.udfRegister(path.join(FOLDER, file))
  await job.wait(POLL_MS)
}

/** Names of the modules, the same on all nodes; the client has no call for them. */
async function listed (client) {
  const replies = await client.infoAll('udf-list')
  const lists = replies.map(({ info }) => [...info.matchAll(/filename=([^,]*),/g)].map(([, name]) => name))
  for (const list of lists) equal(list, lists[0])
  return lists[0]
}

// --- functions on one record ---

function call (client, key, funcname, args = [], policy = undefined) {
  return client.apply(key, { module: MODULE, funcname, args }, policy)
}

/** The call must end with this code, and with this text. */
async function failsWith (code, text, promise) {
  const error = await fails(code, promise)
  contains(error.message, text)
}

// --- functions on many records ---

/** Writes the records; their keys. */
async function putAll (client) {
  const policy = { exists: Aerospike.policy.exists.CREATE_OR_REPLACE }
  const keys = Array.from({ length: COUNT }, (_, number) => new Key('test', SET, number))
  for (const [n, key] of keys.entries()) await client.put(key, { n, group: `g${n % 3}` }, {}, policy)
  return keys
}

function query (client, where) {
  const query = client.query('test', SET)
  if (where !== undefined) query.where(where)
  return query
}

// --- aggregations ---

/** All values that an aggregation yields once this client has reduced it with a Lua of its own. */
async function aggregate (client, where, funcname, args = []) {
  const question = query(client, where)
  question.setUdf(MODULE, funcname, args)
  const results = await question.results()
  // The client makes a record of each.
  return results.map(result => result.bins)
}

/** What is not below the limit must be these numbers. */
async function yieldsLarge (client, where, limit, expected) {
  const results = await aggregate(client, where, 'large', [limit])
  equal(results.sort((a, b) => a - b), expected)
}

function range (begin, end) {
  return Array.from({ length: end - begin }, (_, index) => begin + index)
}

/** Checks by name: each gets the client and a key whose record does not exist. */
module.exports = {
  async udf_modules (client) {
    await register(client, FILE)
    equal(await listed(client), [FILE])
  },

  async udf_compile_error (client) {
    await failsWith(UDF_EXECUTION, 'compile_error', register(client, 'unfinished.lua'))
    equal(await listed(client), [FILE])
  },

  async udf_values (client, key) {
    const values = [
      1, Number.MIN_SAFE_INTEGER, 2.5, 'text', true, null, Buffer.from([0, 255, 7]),
      [1, ['a'], null], { k: [1, { x: 2.5 }] }
    ]
    for (const value of values) equal(await call(client, key, 'echo', [value]), value)
    equal(await call(client, key, 'bytes_of', ['made']), Buffer.from('made'))
    await client.put(key, { n: 7 })
    equal(await call(client, key, 'described'), { n: 7, names: ['n', 'group'] })
  },

  async udf_writes (client, key) {
    equal(await call(client, key, 'add', ['n', 5]), 5)
    equal(await call(client, key, 'add', ['n', 2]), 7)
    const record = await client.get(key)
    equal({ ...record.bins }, { n: 7 })
    equal(record.gen, 2)
    equal(await call(client, key, 'remove'), 0)
    equal(await client.exists(key), false)
  },

  async udf_fails (client, key) {
    const onPurpose = 'checks.lua:28: on purpose'
    await failsWith(UDF_EXECUTION, onPurpose, call(client, key, 'fail'))
    await failsWith(UDF_EXECUTION, 'function not found', call(client, key, 'none'))
    const nowhere = client.apply(key, { module: 'nowhere', funcname: 'echo', args: [] })
    await failsWith(UDF_EXECUTION, 'UDF: Execution Error 1', nowhere)
    equal(await client.exists(key), false)
  },

  async udf_loops (client, key) {
    const patient = new Aerospike.ApplyPolicy({ totalTimeout: 0 })
    const loop = call(client, key, 'loop', [], patient)
    await failsWith(UDF_EXECUTION, 'UDF Execution Timeout', loop)
    equal(await call(client, key, 'echo', [3]), 3)
  },

  async udf_batch (client) {
    const keys = await putAll(client)
    const four = { module: MODULE, funcname: 'add', args: ['extra', 4] }
    const rows = await client.batchApply(keys.slice(0, 50), four)
    equal(rows.map(row => row.status), Array(50).fill(0))
    equal(rows.map(row => row.record.bins.SUCCESS), Array(50).fill(4))
    const apply = (key, funcname, args) => ({
      type: batchType.BATCH_APPLY, key, udf: { module: MODULE, funcname, args }
    })
    const mixed = await client.batchWrite([
      apply(keys[0], 'add', ['extra', 1]),
      { type: batchType.BATCH_READ, key: keys[0], readAllBins: true },
      apply(keys[1], 'fail', [])
    ])
    equal(mixed.map(row => row.status), [0, 0, UDF_EXECUTION])
    equal({ ...mixed[1].record.bins }, { n: 0, group: 'g0', extra: 5 })
  },

  async udf_background (client) {
    const keys = await putAll(client)
    const index = { ns: 'test', set: SET, bin: 'n', index: 'udfs_by_n' }
    const created = await client.createIndex({ ...index, datatype: Aerospike.indexDataType.NUMERIC })
    await created.wait(POLL_MS)
    const all = await query(client).background(MODULE, 'add', ['all', 1])
    await all.wait(POLL_MS)
    const some = await query(client, filter.range('n', 50, 99)).background(MODULE, 'add', ['some', 9])
    await some.wait(POLL_MS)
    const replies = await client.infoAll(`query-show:trid=${some.jobID}`)
    const succeeded = replies.map(({ info }) => Number(/:recs-succeeded=(\d+):recs-failed=0:/.exec(info)[1]))
    equal(succeeded.reduce((sum, count) => sum + count), 50)
    for (const [n, key] of keys.entries()) {
      const expected = { n, group: `g${n % 3}`, all: 1 }
      if (n >= 50 && n < 100) expected.some = 9
      equal(await bins(client, key), expected)
    }
  },

  async udf_aggregate (client) {
    equal(await query(client).apply(MODULE, 'total', []), TOTAL)
    equal(await query(client).apply(MODULE, 'groups', []), { g0: 67, g1: 67, g2: 66 })
    equal(await aggregate(client, undefined, 'total'), [TOTAL])
    await yieldsLarge(client, undefined, 150, range(150, COUNT))
    await yieldsLarge(client, undefined, COUNT, [])
  },

  async udf_aggregate_where (client) {
    const some = filter.range('n', 10, 19)
    equal(await query(client, some).apply(MODULE, 'total', []), 145)
    equal(await query(client, some).apply(MODULE, 'groups', []), { g0: 3, g1: 4, g2: 3 })
    await yieldsLarge(client, some, 15, range(15, 20))
    equal(await aggregate(client, filter.equal('n', COUNT), 'total'), [])
  },

  async udf_aggregate_fails (client) {
    await failsWith(CLIENT_ERROR, 'on purpose', query(client).apply(MODULE, 'broken', []))
    equal(await query(client).apply(MODULE, 'total', []), TOTAL)
  },

  async udf_remove (client, key) {
    await (await client.udfRemove(FILE)).wait(POLL_MS)
    equal(await listed(client), [])
    await fails(UDF_EXECUTION, call(client, key, 'echo', [1]))
    // There is nothing to say about a module that is not there.
    await (await client.udfRemove(FILE)).wait(POLL_MS)
  }
}
