using BlockRepl.Core;
using BlockRepl.Core.Bitmap;

namespace BlockRepl.Simulation.Nodes;

/// <summary>The few internals of the core that checkers look at.</summary>
internal static class CoreAccess
{
    /// <summary>The bitmap in memory; null without a disk.</summary>
    public static OutOfSyncBitmap? Bitmap(ResourceCore core, int volume) => core.GetBitmap(volume);
}
