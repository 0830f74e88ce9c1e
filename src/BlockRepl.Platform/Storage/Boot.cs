namespace BlockRepl.Platform.Storage;

/// <summary>Which start of the machine this is.</summary>
public static class Boot
{
    /// <summary>Drawn anew by the kernel at each start.</summary>
    public static Guid Id { get; } = Guid.Parse(File.ReadAllText("/proc/sys/kernel/random/boot_id"));
}
