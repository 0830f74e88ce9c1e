namespace BlockRepl.Bench;

/// <summary>The configurations that the replicated device is measured with.</summary>
internal static class DeviceCases
{
    private const string NoFlushes = "disk-flushes no; md-flushes no;";

    /// <summary>
    /// The first is what the aims are about. By default the Secondary flushes its disk between writes that may depend
    /// on each other; the second case, for disks whose cache survives a loss of power, does not, as the mirror never
    /// does.
    /// </summary>
    public static IEnumerable<(string Name, string Net, string Disk)> All(bool quick)
    {
        yield return Case("C", "md5", "");
        yield return Case("C", "md5", NoFlushes);
        yield return Case("C", "none", "");
        if (quick)
        {
            yield break;
        }

        foreach (string protocol in new[] { "B", "A" })
        {
            yield return Case(protocol, "md5", "");
            yield return Case(protocol, "none", "");
        }
    }

    private static (string Name, string Net, string Disk) Case(string protocol, string digest, string disk)
    {
        string integrity = digest == "none" ? "" : $" data-integrity-alg {digest};";
        string name = $"protocol {protocol}, digest {digest}" + (disk.Length > 0 ? ", no flushes" : "");
        return (name, $"protocol {protocol};{integrity}", disk);
    }
}
