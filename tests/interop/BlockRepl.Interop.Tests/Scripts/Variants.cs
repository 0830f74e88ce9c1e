using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>The roles and configurations that a script is played in.</summary>
public static class Variants
{
    /// <summary>Both roles under both configurations.</summary>
    public static TheoryData<Side, Setup> All { get; } = new()
    {
        { Side.BlockRepl, Setup.Boards },
        { Side.Kernel, Setup.Boards },
        { Side.BlockRepl, Setup.Careful },
        { Side.Kernel, Setup.Careful },
    };
}
