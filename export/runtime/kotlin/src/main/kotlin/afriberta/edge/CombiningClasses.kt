package afriberta.edge

/**
 * Canonical combining classes of Unicode 14, which order the marks of a letter; every other character has class 0.
 *
 * The table lists runs in hexadecimal: `skip.length.class`, or `skip:class` for one character, where `skip` counts
 * from the end of the run before. tests/export/runtime/test_kotlin.py holds it against Python's unicodedata.
 */
internal object CombiningClasses {
    private val starts: IntArray
    private val ends: IntArray
    private val values: IntArray

    init {
        val runs = TABLE.split(' ').map { run -> run.split('.', ':').map { it.toInt(16) } }
        starts = IntArray(runs.size)
        ends = IntArray(runs.size)
        values = IntArray(runs.size) { runs[it].last() }
        var at = 0
        runs.forEachIndexed { index, run ->
            starts[index] = at + run[0]
            at = starts[index] + if (run.size > 2) run[1] else 1
            ends[index] = at
        }
    }

    /** The combining class of a code point, 0 to 240. */
    fun of(code: Int): Int {
        val found = starts.binarySearch(code)
        val run = if (found < 0) found.inv() - 1 else found
        return if (run >= 0 && code < ends[run]) values[run] else 0
    }

    private const val TABLE =
        "300.15.e6 0:e8 0.4.dc 0:e8 0:d8 0.5.dc 0.2.ca 0.4.dc 0.2.ca 0.b.dc 0.5.1 0.4.dc 0.8.e6 0:f0 0:e6 0.3" +
        ".dc 0.3.e6 0.2.dc 1.3.e6 0.4.dc 0:e6 0:e8 0.2.dc 0:e6 0:e9 0.2.ea 0:e9 0.2.ea 0:e9 0.d.e6 113.5.e6 1" +
        "09:dc 0.4.e6 0:dc 0.3.e6 0:de 0:dc 0.6.e6 0.6.dc 0.2.e6 0:dc 0.2.e6 0:de 0:e4 0:e6 0:a 0:b 0:c 0:d 0" +
        ":e 0:f 0:10 0:11 0:12 0.2.13 0:14 0:15 0:16 1:17 1:18 0:19 1:e6 0:dc 1:12 48.8.e6 0:1e 0:1f 0:20 30:" +
        "1b 0:1c 0:1d 0:1e 0:1f 0:20 0:21 0:22 0.2.e6 0.2.dc 0.5.e6 0:dc 0.2.e6 0:dc 10:23 65.7.e6 2.4.e6 0:d" +
        "c 0:e6 2.2.e6 1:dc 0.2.e6 0:dc 23:24 1e:e6 0:dc 0.2.e6 0:dc 0.2.e6 0.3.dc 0:e6 0.2.dc 0:e6 0:dc 0.3." +
        "e6 0:dc 0:e6 0:dc 0:e6 0:dc 0:e6 0:dc 0.2.e6 a0.7.e6 0:dc 0:e6 9:dc 18.4.e6 1.9.e6 1.3.e6 1.5.e6 2b." +
        "3.dc 3c:e6 0.3.dc 0.4.e6 2a.5.e6 0.5.dc 0.e.e6 1:dc 0.2.e6 0:dc 0.2.e6 0:dc 0.3.e6 0.3.dc 0:1b 0:1c " +
        "0:1d 0.3.e6 0:dc 0.2.e6 0.2.dc 0.5.e6 3c:7 10:9 3:e6 0:dc 0.2.e6 67:7 10:9 30:e6 3d:7 10:9 6e:7 10:9" +
        " 6e:7 10:9 7f:9 6e:7 10:9 7:54 0:5b 65:7 10:9 6d.2.9 10:9 7c:9 6d.2.67 0:9 d.4.6b 6c.2.76 0:9 d.4.7a" +
        " 4c.2.dc 1b:dc 1:dc 1:d8 37:81 0:82 1:84 5.4.82 2:82 1.2.e6 0:9 1.2.e6 3e:dc 70:7 1.2.9 52:dc 2cf.3." +
        "e6 3b4.2.9 1e:9 9d:9 a:e6 cb:e4 8f:de 0:e6 0:dc db:e6 0:dc 47:9 14.8.e6 2:dc 30.5.e6 0.6.dc 0.2.e6 0" +
        ":dc 1.2.dc 0.2.e6 0.2.dc 0.5.e6 0:dc 0.4.e6 65:7 f:9 26:e6 0:dc 0.7.e6 36.2.9 3a:7 b.2.9 43:7 98.3.e" +
        "6 1:1 0.5.dc 0.2.e6 0.4.dc 0:e6 1.7.1 4:dc 6:e6 3.2.e6 c6.2.e6 0:dc 0.7.e6 0:dc 0.2.e6 0:ea 0:d6 0:d" +
        "c 0:ca 0.25.e6 0:e8 0.2.e4 0:dc 0:da 0:e6 0:e9 0:dc 0:e6 0:dc 2d0.2.e6 0.2.1 0.4.e6 0.3.1 0.2.e6 4:e" +
        "6 3.2.1 0:e6 0:dc 0:e6 0.2.1 0.4.dc 0:e6 bfe.3.e6 8d:9 60.20.e6 22a:da 0:e4 0:e8 0:de 0.2.e0 69.2.8 " +
        "75d4:e6 4.a.e6 20.2.e6 50.2.e6 114:9 25:9 97:9 1b.12.e6 39.3.dc 25:9 5f:7 c:9 ef:e6 1.2.e6 0:dc 2.2." +
        "e6 5.2.e6 1:e6 34:9 f6:9 4f30:1a 301.7.e6 0.7.dc 0.2.e6 3cd:dc e2:dc 95.5.e6 692:dc 1:e6 28:e6 0:1 0" +
        ":dc 4:9 a5:e6 0:dc 23d.4.e6 183.2.e6 99.2.dc 0.3.e6 0:dc 0:e6 0.4.dc 31:e6 0:dc 0:e6 0:dc c0:9 29:9 " +
        "e:9 39:9 0:7 45.3.e6 30.2.9 3e:7 4c:9 9:7 6a:9 0:7 b2:7 0:9 50.2.7 10:9 18.7.e6 3.5.e6 cd:9 3:7 17:e" +
        "6 63:9 0:7 fb:9 0:7 7e:9 76:9 0:7 73:9 10d:9 0:7 102.2.9 4:7 9c:9 53:9 12:9 51:9 1a5:9 102:7 1.2.9 5" +
        "1:9 4d58.5.1 3b.7.e6 4b9.2.6 4cac:1 14c6.2.d8 0.3.1 3:e2 0.5.d8 8.8.dc 2.5.e6 0.2.dc 1e.4.e6 94.3.e6" +
        " dbb.7.e6 1.11.e6 2.7.e6 1.2.e6 1.5.e6 105.7.e6 177:e6 3d.4.e6 5e0.7.dc 6d.6.e6 0:7"
}
