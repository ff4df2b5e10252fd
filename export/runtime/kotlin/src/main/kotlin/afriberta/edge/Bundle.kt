package afriberta.edge

import java.io.ByteArrayOutputStream
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.io.OutputStream
import java.security.MessageDigest

/**
 * A bundle's files, checked against its manifest, which is read at once.
 *
 * @param files opens one file of the bundle by its name, from assets or a folder
 * @param verify check every file's sha256; sizes are always checked
 * @throws BundleException "missing", "schema" or "damaged"
 */
class Bundle(private val files: (String) -> InputStream, private val verify: Boolean = true) {
    val manifest: Manifest = Manifest.read(reading(Manifest.FILE) { files(Manifest.FILE).use { it.readBytes() } })

    /**
     * The bytes of a file that the manifest lists.
     *
     * @throws BundleException "missing", "incomplete", "changed", or "damaged" if it isn't listed
     */
    fun read(name: String): ByteArray = ByteArrayOutputStream().also { copy(name, it) }.toByteArray()

    /**
     * Copies the model and its external data below [folder], where onnxruntime can open them by path and map their
     * pages. What was copied before stays; [folder] is for this alone, and copies of other models in it are removed.
     *
     * @return the model's file
     * @throws BundleException see [read]
     * @throws IOException they cannot be written
     */
    fun copyModel(folder: File): File {
        val names = listOf(manifest.model) + manifest.externalData
        val digests = names.joinToString("\n") { manifest.files.getValue(it).sha256 }
        val own = File(folder, sha256().digest(digests.encodeToByteArray()).toHexString().take(DIGITS))
        folder.listFiles()?.filter { it != own }?.forEach { it.deleteRecursively() }
        for (name in names) {
            val target = File(own, name)
            if (target.isFile) continue
            val part = File(own, "$name.part")
            part.parentFile?.mkdirs()
            part.outputStream().use { copy(name, it) }
            if (!part.renameTo(target)) throw IOException("$target cannot be written")
        }
        return File(own, manifest.model)
    }

    /** In pieces: the weights of a large model need not fit into the heap of an app. */
    private fun copy(name: String, target: OutputStream) {
        val entry = manifest.files[name] ?: throw damaged(Manifest.FILE, "it does not list $name")
        val digest = sha256()
        var size = 0L
        reading(name) { files(name) }.use { source ->
            val buffer = ByteArray(DEFAULT_BUFFER_SIZE)
            while (true) {
                val count = reading(name) { source.read(buffer) }
                if (count < 0) break
                digest.update(buffer, 0, count)
                target.write(buffer, 0, count)
                size += count
            }
        }
        if (size != entry.bytes) {
            throw BundleException("incomplete", "$name has $size bytes instead of ${entry.bytes}.", AGAIN)
        }
        if (verify && digest.digest().toHexString() != entry.sha256) {
            throw BundleException("changed", "$name is not the file of the manifest (sha256).", AGAIN)
        }
    }

    private inline fun <T> reading(name: String, action: () -> T): T =
        try {
            action()
        } catch (error: IOException) {
            val remedy = "Check the connection and the address, or the app's assets, and try again."
            throw BundleException("missing", "$name cannot be read: ${reasonOf(error)}.", remedy, error)
        }

    private companion object {
        const val AGAIN = "Download the bundle again."
        const val DIGITS = 16

        fun sha256(): MessageDigest = MessageDigest.getInstance("SHA-256")
    }
}
