package afriberta.edge

import java.io.File
import java.io.IOException
import java.security.MessageDigest

/**
 * A bundle's files, checked against its manifest, which is read at once.
 *
 * @param files reads one file of the bundle by its name, from assets or a folder
 * @param verify check every file's sha256; sizes are always checked
 * @throws BundleException "missing", "schema" or "damaged"
 */
class Bundle(private val files: (String) -> ByteArray, private val verify: Boolean = true) {
    val manifest: Manifest = Manifest.read(get(Manifest.FILE))

    /**
     * The bytes of a file that the manifest lists.
     *
     * @throws BundleException "missing", "incomplete", "changed", or "damaged" if it isn't listed
     */
    fun read(name: String): ByteArray {
        val entry = manifest.files[name] ?: throw damaged(Manifest.FILE, "it does not list $name")
        val data = get(name)
        if (data.size.toLong() != entry.bytes) {
            throw BundleException("incomplete", "$name has ${data.size} bytes instead of ${entry.bytes}.", AGAIN)
        }
        if (verify && sha256(data) != entry.sha256) {
            throw BundleException("changed", "$name is not the file of the manifest (sha256).", AGAIN)
        }
        return data
    }

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
        val own = File(folder, sha256(digests.encodeToByteArray()).take(DIGITS))
        folder.listFiles()?.filter { it != own }?.forEach { it.deleteRecursively() }
        for (name in names) {
            val target = File(own, name)
            if (target.isFile) continue
            val part = File(own, "$name.part")
            part.parentFile?.mkdirs()
            part.writeBytes(read(name))
            if (!part.renameTo(target)) throw IOException("$target cannot be written")
        }
        return File(own, manifest.model)
    }

    private fun get(name: String): ByteArray =
        try {
            files(name)
        } catch (error: IOException) {
            val remedy = "Check the connection and the address, or the app's assets, and try again."
            throw BundleException("missing", "$name cannot be read: ${reasonOf(error)}.", remedy, error)
        }

    private companion object {
        const val AGAIN = "Download the bundle again."
        const val DIGITS = 16

        fun sha256(bytes: ByteArray): String =
            MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }
    }
}
