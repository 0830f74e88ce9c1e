namespace BlockRepl.Core.Protocol;

/// <summary>Digests for data-integrity-alg, verify-alg, csums-alg and cram-hmac-alg, by their Linux names.</summary>
public enum DigestAlgorithm
{
    None = 0,
    Crc32c = 1,
    Md5 = 2,
    Sha1 = 3,
    Sha256 = 4,
}

/// <summary>Names and sizes of the digests.</summary>
public static class DigestAlgorithms
{
    public const int MaxSize = 32;

    /// <summary>Bytes of one digest; 0 for None.</summary>
    public static int Size(this DigestAlgorithm algorithm) => algorithm switch
    {
        DigestAlgorithm.None => 0,
        DigestAlgorithm.Crc32c => 4,
        DigestAlgorithm.Md5 => 16,
        DigestAlgorithm.Sha1 => 20,
        DigestAlgorithm.Sha256 => 32,
        _ => throw new ArgumentOutOfRangeException(nameof(algorithm)),
    };

    /// <summary>The name in the Linux crypto API, as sent on the wire; empty for None.</summary>
    public static string LinuxName(this DigestAlgorithm algorithm) => algorithm switch
    {
        DigestAlgorithm.None => "",
        DigestAlgorithm.Crc32c => "crc32c",
        DigestAlgorithm.Md5 => "md5",
        DigestAlgorithm.Sha1 => "sha1",
        DigestAlgorithm.Sha256 => "sha256",
        _ => throw new ArgumentOutOfRangeException(nameof(algorithm)),
    };

    /// <summary>
    /// Finds the algorithm of a Linux name (case matters, as in the kernel); false if it is not one of ours.
    /// </summary>
    public static bool TryParse(string name, out DigestAlgorithm algorithm)
    {
        switch (name)
        {
            case "": algorithm = DigestAlgorithm.None; return true;
            case "crc32c": algorithm = DigestAlgorithm.Crc32c; return true;
            case "md5": algorithm = DigestAlgorithm.Md5; return true;
            case "sha1": algorithm = DigestAlgorithm.Sha1; return true;
            case "sha256": algorithm = DigestAlgorithm.Sha256; return true;
            default: algorithm = DigestAlgorithm.None; return false;
        }
    }
}
