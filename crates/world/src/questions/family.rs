//! The families of questions: what each is called, which reference it comes from and what it looks at.

use serde::{Deserialize, Serialize};

/// What a family looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// One picture.
    Frame,
    /// A few seconds.
    Clip,
    /// Days.
    Days,
}

macro_rules! families {
    ($($(#[$doc:meta])* $family:ident $name:literal $scope:ident,)*) => {
        /// A family of questions.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Family { $($(#[$doc])* #[serde(rename = $name)] $family),* }

        impl Family {
            /// Every family.
            pub const ALL: &[Family] = &[$(Family::$family),*];

            /// Its name in files and tables.
            pub fn name(self) -> &'static str {
                match self { $(Family::$family => $name),* }
            }

            /// What it looks at.
            pub fn scope(self) -> Scope {
                match self { $(Family::$family => Scope::$scope),* }
            }
        }
    };
}

families!(
    /// Where one thing is against another (SpatialThinker).
    Relation "relation" Frame,
    /// What a hand does (SpatialThinker).
    Reach "reach" Frame,
    /// Which takes more of the picture (SpatialThinker).
    Size "size" Frame,
    /// Which way something faces (SpatialThinker).
    Orientation "orientation" Frame,
    /// Where in the picture (SpatialThinker).
    Location "instance_location" Frame,
    /// Which is nearer to the eye (SpatialThinker).
    Depth "depth" Frame,
    /// How far, and what is near what (SpatialThinker).
    Distance "distance" Frame,
    /// How many (SpatialThinker).
    Count "count" Frame,
    /// Whether it is there (SpatialThinker).
    Existence "existence" Frame,
    /// What colour it is.
    Colour "colour" Frame,
    /// What is written on something (Video-R1's OCR).
    Text "text" Frame,
    /// A box around a hand or what it holds (EgoThinker).
    HandObject "hand_object" Frame,
    /// What came first (Video-R1).
    Order "order" Clip,
    /// How often, how many over time (Video-R1).
    Tally "tally" Clip,
    /// How the camera moves (Video-R1).
    Motion "motion" Clip,
    /// How a person or a thing moves (Video-R1).
    Movement "movement" Clip,
    /// What changes its state (Video-R1).
    Change "change" Clip,
    /// Which room (Video-R1).
    Place "place" Clip,
    /// The way that was taken, there and back (Ego-ST).
    Route "route" Clip,
    /// The turns of the way, there and back (Ego-ST).
    Direction "direction" Clip,
    /// What was passed, there and back (Ego-ST).
    Landmark "landmark" Clip,
    /// What was done, and undone (Ego-ST).
    Action "action" Clip,
    /// When something happened (EgoThinker).
    Grounding "temporal_grounding" Clip,
    /// Where things are and who used them (EgoLifeQA).
    EntityLog "EntityLog" Days,
    /// What happened, and what came before or after (EgoLifeQA).
    EventRecall "EventRecall" Days,
    /// What recurs (EgoLifeQA).
    HabitInsight "HabitInsight" Days,
    /// Who is who and who did what with whom (EgoLifeQA).
    RelationMap "RelationMap" Days,
    /// What is to be done (EgoLifeQA).
    TaskMaster "TaskMaster" Days,
);
