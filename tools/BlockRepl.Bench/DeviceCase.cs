namespace BlockRepl.Bench;

/// <summary>A configuration that the replicated device is measured with.</summary>
/// <param name="Net">Options of the net section.</param>
/// <param name="Disk">
/// Options of the disk section besides those that let a resync run as fast as it can.
/// </param>
/// <param name="FrontEnd">Which device fio writes to; none: the NBD socket.</param>
internal sealed record DeviceCase(string Name, string Net, string Disk, string FrontEnd = "none")
{
    private const string NoFlushes = "disk-flushes no; md-flushes no;";

    /// <summary>
    /// What the aims are about. By default the Secondary flushes its disk at the end of each epoch; the second case,
    /// for disks whose cache survives a loss of power, does not, as the mirror never does.
    /// </summary>
    public static readonly DeviceCase[] Aims = [Case("C", "md5", ""), Case("C", "md5", NoFlushes)];

    public static IEnumerable<DeviceCase> Others(bool quick)
    {
        foreach (string frontEnd in FrontEnds())
        {
            DeviceCase socket = Case("C", "md5", "");
            yield return socket with { Name = $"{socket.Name}, {frontEnd} device", FrontEnd = frontEnd };
        }

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

        yield return Case("A", "md5", NoFlushes);
    }

    /// <summary>The kinds of devices that can be made here: by root, as far as this kernel has the drivers.</summary>
    private static IEnumerable<string> FrontEnds()
    {
        (string Name, string Driver)[] all =
            [("ublk", "/dev/ublk-control"), ("nbd", "/dev/nbd0"), ("fuse", "/dev/fuse")];
        return all.Where(one => Environment.IsPrivilegedProcess && File.Exists(one.Driver)).Select(one => one.Name);
    }

    private static DeviceCase Case(string protocol, string digest, string disk)
    {
        string integrity = digest == "none" ? "" : $" data-integrity-alg {digest};";
        string name = $"protocol {protocol}, digest {digest}" + (disk.Length > 0 ? ", no flushes" : "");
        return new DeviceCase(name, $"protocol {protocol};{integrity}", disk);
    }
}
