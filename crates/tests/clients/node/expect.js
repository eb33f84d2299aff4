// What the checks may demand.

'use strict'

const assert = require('node:assert')
const Aerospike = require('aerospike')

const equal = assert.deepStrictEqual
const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))

/** The call must end with this result code; its error. */
async function fails (code, promise) {
  try {
    await promise
  } catch (error) {
    if (!(error instanceof Aerospike.AerospikeError)) throw error
    equal(error.code, code)
    return error
  }
  throw new Error(`succeeded, expected result code ${code}`)
}

function contains (text, part) {
  assert(text.includes(part), `${text} lacks ${part}`)
}

async function bins (client, key) {
  return { ...(await client.get(key)).bins }
}

module.exports = { bins, contains, equal, fails, sleep }
