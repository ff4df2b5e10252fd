package afriberta.edge

import java.io.ByteArrayOutputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.io.encoding.Base64

/**
 * SentencePiece's map from strings to strings: a double-array trie over UTF-8 (darts-clone), then the strings. The
 * longest entry at each position is replaced.
 *
 * @param encoded the map as tokenizer.json has it, in base64
 */
internal class CharacterMap(encoded: String) {
    private val units: IntArray
    private val strings: ByteArray

    init {
        val data = Base64.decode(encoded)
        val buffer = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN)
        val size = if (data.size < 4) 0 else buffer.getInt()
        require(size >= 4 && size % 4 == 0 && size <= data.size - 4) { "its character map is damaged" }
        units = IntArray(size / 4) { buffer.getInt() }
        strings = data.copyOfRange(4 + size, data.size)
    }

    fun apply(text: String): String {
        val bytes = text.encodeToByteArray()
        val written = ByteArrayOutputStream(bytes.size)
        var start = 0
        while (start < bytes.size) {
            var node = offset(units[0])
            var end = start
            var found = -1
            var position = start
            while (position < bytes.size) {
                val byte = bytes[position].toInt() and 0xff
                node = node xor byte
                val unit = units.getOrElse(node) { 0 }
                if (byte == 0 || unit and LABEL != byte) break
                node = node xor offset(unit)
                position++
                if (unit and HAS_VALUE != 0) {
                    end = position
                    found = units.getOrElse(node) { 0 } and Int.MAX_VALUE
                }
            }
            if (found < 0) {
                do written.write(bytes[end++].toInt()) while (end < bytes.size && bytes[end].toInt() and 0xc0 == 0x80)
            } else {
                while (found < strings.size && strings[found] != 0.toByte()) written.write(strings[found++].toInt())
            }
            start = end
        }
        return written.toByteArray().decodeToString()
    }

    /** Where the children of a node begin. */
    private fun offset(unit: Int): Int = (unit ushr 10) shl ((unit and 0x200) ushr 6)

    private companion object {
        const val LABEL = 0x800000ff.toInt()
        const val HAS_VALUE = 0x100
    }
}
